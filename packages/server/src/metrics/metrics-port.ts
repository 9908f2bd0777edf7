/** /metrics on a port of its own: nothing else is there, so the port can be opened to a scraper without opening the operations. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Exposition } from './metrics.ts'
import { judgeScrape } from './who-may-scrape.ts'

export interface MetricsPort {
  readonly url: string
  close(): Promise<void>
}

export interface MetricsPortOptions {
  readonly host: string
  readonly port: number
  readonly token: string | undefined
  expose(accept: string | undefined): Promise<Exposition>
}

/** Told apart from the port of the server, which fails for the same reasons; it survives the way from a worker to its primary. */
export const unusablePort = 'metrics_port_unusable'

/** Refuses with: an error of the code `metrics_port_unusable`, which names the setting. */
export async function openMetricsPort({ host, port, token, expose }: MetricsPortOptions): Promise<MetricsPort> {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, text: string, headers: Record<string, string> = {}) =>
      void response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers }).end(text)
    if (request.url?.split('?', 1)[0] !== '/metrics') return say(404, 'Only /metrics is here.\n')
    if (request.method !== 'GET' && request.method !== 'HEAD') return say(405, 'Use GET.\n', { allow: 'GET, HEAD' })
    const verdict = judgeScrape({ address: request.socket.remoteAddress, headers: request.headers }, { token, openToAll: true })
    if (verdict !== 'welcome') return say(401, 'Send the metrics.token: Authorization: Bearer …\n', { 'www-authenticate': 'Bearer' })
    const { contentType, body } = await expose(request.headers.accept)
    say(200, body, { 'content-type': contentType, vary: 'Accept' })
  }
  const server = createServer({ maxHeaderSize: 8192, requestTimeout: 10_000 }, (request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  server.unref()
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'another program uses it' : code === 'EACCES' ? 'this user may not open it' : message
    throw Object.assign(new Error(`metrics.port ${port} on ${host} cannot be opened: ${why}.`, { cause: error }), { code: unusablePort })
  }
  const address = server.address() as AddressInfo
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}/metrics`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
