/** A TCP proxy between an agent and its server, for tests: it cuts connections where real networks do, and can be pointed elsewhere. */
import { once } from 'node:events'
import net from 'node:net'

export interface TcpProxy {
  readonly url: string
  /** First lines of the requests that went through, such as `POST /api/work/checkout`. */
  readonly requests: readonly string[]
  /** The next request whose text matches reaches the server, but its answer is lost: the connection is cut in its place. */
  loseAnswer(request: RegExp): void
  pointAt(url: string): void
  close(): Promise<void>
}

export async function startTcpProxy(target: string): Promise<TcpProxy> {
  let upstreamUrl = new URL(target)
  let doomed: RegExp | null = null
  const requests: string[] = []
  const open = new Set<net.Socket>()
  const server = net.createServer((client) => {
    const upstream = net.connect(Number(upstreamUrl.port), upstreamUrl.hostname)
    let asked = ''
    const cut = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', cut)
      socket.on('close', () => {
        open.delete(socket)
        cut()
      })
    }
    client.on('data', (chunk) => {
      if (asked === '') requests.push(/^(\S+ [^\s?]+)/.exec(chunk.toString('latin1'))?.[1] ?? '')
      asked += chunk.toString('latin1')
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (doomed?.test(asked)) {
        doomed = null
        cut()
        return
      }
      asked = ''
      client.write(chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    requests,
    loseAnswer: (request) => void (doomed = request),
    pointAt(url) {
      upstreamUrl = new URL(url)
      for (const socket of open) socket.destroy()
    },
    async close() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
