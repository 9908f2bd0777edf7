/** The shipped configuration of nginx, in a real nginx, before two real servers of one database. */
import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import http from 'node:http'
import https from 'node:https'
import { connect, createServer, type Server, type AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { settings } from '../../src/config/settings.ts'
import { root } from '../doc-snippets.ts'
import { echoType } from '../echo-type.ts'
import { startTestNginx, type TestNginx } from '../peers/nginx.ts'
import { isInstalled } from '../peers/redis-server.ts'
import { createTestDatabase, type TestDatabase } from '../test-database.ts'
import { type Caller, startTestServer, type TestServer, until } from '../test-server.ts'

const installed = await isInstalled('nginx')
const name = 'work.example.org'

interface Relay {
  readonly port: number
  opened(): number
  /** As a process that is told to stop: nobody is let in any more, and who is in may stay. */
  shut(): Promise<void>
  /** The process that takes its place. */
  lead(to: string): Promise<void>
}

/** A port of its own in front of a server, which counts the connections that nginx opens, and can change servers. */
async function relayTo(url: string): Promise<Relay> {
  let opened = 0
  let to = url
  let listener: Server
  const listen = async (port: number): Promise<void> => {
    listener = createServer((inner) => {
      opened += 1
      const outer = connect(Number(new URL(to).port), '127.0.0.1')
      inner.pipe(outer).pipe(inner)
      inner.on('error', () => outer.destroy()).on('close', () => outer.destroy())
      outer.on('error', () => inner.destroy()).on('close', () => inner.destroy())
    }).listen(port, '127.0.0.1')
    await once(listener, 'listening')
  }
  await listen(0)
  const { port } = listener!.address() as AddressInfo
  return {
    port,
    opened: () => opened,
    async shut() {
      // Its end comes with that of the last connection, which is not waited for.
      listener.close()
    },
    async lead(next) {
      to = next
      await listen(port)
    },
  }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly body: any
}

describe.skipIf(!installed)('nginx with deploy/nginx.conf', () => {
  let database: TestDatabase
  let servers: TestServer[]
  let relays: Relay[]
  let nginx: TestNginx
  let agent: Caller
  let other: Caller
  let crm: Caller

  const startServer = () =>
    startTestServer({
      types: [echoType],
      database,
      config: { server: { trust_proxy: ['loopback'], public_url: `https://${name}` } },
    })
  beforeAll(async () => {
    database = await createTestDatabase()
    servers = [await startServer(), await startServer()]
    relays = await Promise.all(servers.map((server) => relayTo(server.url)))
    nginx = await startTestNginx([relays[0]!.port, relays[1]!.port])
    agent = await servers[0]!.caller('agent', 'agent-1')
    other = await servers[0]!.caller('agent', 'agent-2')
    crm = await servers[0]!.caller('service', 'crm')
  })
  afterAll(async () => {
    await nginx.stop()
    for (const relay of relays) await relay.shut()
    for (const server of servers) await server.stop()
    await database.drop()
  })

  interface Asked {
    readonly method?: string
    readonly body?: unknown
    readonly headers?: Record<string, string>
    readonly key?: string
    readonly signal?: AbortSignal
    readonly localAddress?: string
  }
  /** Asks through nginx, by its name; resolves with the answer as soon as its head is there. */
  const open = async (
    route: string,
    { method = 'GET', body, headers = {}, key = agent.key, ...options }: Asked = {},
  ): Promise<IncomingMessage> => {
    const request = https.request({
      ...{
        host: '127.0.0.1',
        port: nginx.httpsPort,
        servername: name,
        ca: nginx.certificate,
        path: route,
        method,
        agent: false,
        ...options,
      },
      headers: {
        host: name,
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    })
    request.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return response
  }
  const ask = async (route: string, asked: Asked = {}): Promise<Answer> => {
    const response = await open(route, asked)
    let text = ''
    for await (const chunk of response) text += (chunk as Buffer).toString()
    const isJson = /json/.test(response.headers['content-type'] ?? '')
    return { status: response.statusCode!, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined }
  }
  const propose = async (headers: Record<string, string> = {}, options: Asked = {}): Promise<Answer> => {
    const answer = await ask('/api/work/propose', {
      method: 'POST',
      key: crm.key,
      body: { type: 'test.echo', payload: { messages: ['hi'] } },
      headers: { 'idempotency-key': crypto.randomUUID(), ...headers },
      ...options,
    })
    expect(answer.status, answer.text).toBe(201)
    return answer
  }
  /** Asks for work that is not there, and comes back when the server has looked for some. */
  const poll = async (asked: Asked = {}): Promise<{ answer: Promise<Answer> }> => {
    const [{ now }] = (await database.sql<{ now: Date }>('select clock_timestamp() as now')) as [{ now: Date }]
    const answer = ask('/api/work/checkout?wait=30', { method: 'POST', body: {}, ...asked })
    answer.catch(() => {})
    const looked = `select from pg_stat_activity where datname = $1 and query like '%wm.lease_items%' and query_start >= $2`
    await until(async () => (await database.sql(looked, [database.name, now])).length > 0, 'the server looks for work')
    return { answer }
  }

  it('a long poll waits, and hears of work at once; the limits of nginx are above every wait that may be asked for', async () => {
    const { answer } = await poll()
    const order = (await propose()).body.order.id
    expect((await answer).body.item.order_id).toBe(order)
    const conf = readFileSync(path.join(root, 'deploy', 'nginx.conf'), 'utf8')
    const longest = settings.find((setting) => setting.path === 'checkout.max_wait_seconds')!.schema.maximum!
    expect(Number(/proxy_read_timeout +(\d+)s;/.exec(conf)?.[1])).toBeGreaterThan(longest)
  })

  it('who hangs up while waiting takes nothing', async () => {
    const stop = new AbortController()
    const { answer } = await poll({ signal: stop.signal })
    stop.abort()
    await expect(answer).rejects.toThrow()
    const order = (await propose()).body.order.id
    const taken = await until(async () => {
      const answer = await ask(`/api/work/orders/${order}/checkout`, { method: 'POST', body: {}, key: other.key })
      return answer.status === 200 && answer
    }, 'somebody else gets the item')
    expect(taken.body.item.order_id).toBe(order)
  })

  it('MCP: notes of progress come while the call still waits', async () => {
    const response = await open('/mcp', {
      method: 'POST',
      headers: { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25' },
      body: {
        ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
        params: { name: 'work_checkout', arguments: { wait: 30 }, _meta: { progressToken: 7 } },
      },
    })
    expect(response.statusCode).toBe(200)
    let heard = ''
    let order: string | undefined
    for await (const chunk of response) {
      heard += (chunk as Buffer).toString()
      // Nothing is proposed before a note came through: buffered, the call would end without work.
      if (order === undefined && heard.includes('notifications/progress')) order = (await propose()).body.order.id
    }
    expect(order).toBeDefined()
    expect(heard).toContain(order)
  })

  it('the request id is the caller’s, or made by nginx; it stands in answer, record and log', async () => {
    const own = await propose({ 'x-request-id': 'mine-1' })
    expect(own.headers['x-request-id']).toBe('mine-1')
    const madeBy = await propose()
    const made = madeBy.headers['x-request-id'] as string
    expect(made).toMatch(/^[0-9a-f]{32}$/)
    for (const [id, order] of [
      ['mine-1', own],
      [made, madeBy],
    ] as const) {
      const { events } = (await ask(`/api/work/orders/${order.body.order.id}/logs`)).body
      expect(events.map((event: { request_id: string }) => event.request_id)).toContain(id)
      await until(async () => (await nginx.accessLog()).includes(id), 'it is in the log of nginx')
    }
  })

  it('the address that is recorded is the caller’s, whatever the caller says', async () => {
    const lie = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9', 'x-real-ip': '203.0.113.9' }
    const { body } = await propose(lie, { localAddress: '127.0.0.5' })
    const { events } = (await ask(`/api/work/orders/${body.order.id}/logs`)).body
    const rows = await database.sql<{ ip: string }>('select ip from wm.provenance where id = $1', [events[0].provenance_id])
    expect(rows).toEqual([{ ip: '127.0.0.5' }])
  })

  it('a body that is too large is refused by the server, with what to do; a much larger one by nginx', async () => {
    const large = await ask('/api/work/propose', { method: 'POST', key: crm.key, body: JSON.stringify({ pad: 'x'.repeat(1_300_000) }) })
    expect([large.status, large.body?.code]).toEqual([413, 'body_too_large'])
    const huge = await ask('/api/work/propose', { method: 'POST', key: crm.key, headers: { 'content-length': '3000000' } }).catch(
      () => undefined,
    )
    expect(huge?.status).toBe(413)
    expect(huge?.body).toBeUndefined()
  })

  it('keeps its connections to the servers', async () => {
    const before = relays.reduce((sum, relay) => sum + relay.opened(), 0)
    for (let n = 0; n < 30; n++) expect((await ask('/readyz')).status).toBe(200)
    // Each of the two may have had to open one.
    expect(relays.reduce((sum, relay) => sum + relay.opened(), 0) - before).toBeLessThanOrEqual(2)
  })

  it('speaks TLS of today only, and sends who comes without to it', async () => {
    const versions = [
      ['TLSv1.1', false],
      ['TLSv1.2', true],
      ['TLSv1.3', true],
    ] as const
    for (const [version, welcome] of versions) {
      const socket = tls.connect({
        ...{ host: '127.0.0.1', port: nginx.httpsPort, servername: name, ca: nginx.certificate },
        ...{ minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' },
      })
      const greeted = await once(socket, 'secureConnect').then(
        () => true,
        () => false,
      )
      socket.destroy()
      expect(greeted, version).toBe(welcome)
    }
    const request = http.get({ host: '127.0.0.1', port: nginx.httpPort, path: '/docs?a=1', headers: { host: name } })
    const [plain] = (await once(request, 'response')) as [IncomingMessage]
    plain.resume()
    expect([plain.statusCode, plain.headers.location]).toEqual([308, `https://${name}/docs?a=1`])
  })

  it('shows the documentation, exports the record, and keeps the metrics inside', async () => {
    expect((await ask('/docs')).status).toBe(200)
    expect((await ask('/api/work/ledger')).status).toBe(200)
    expect((await ask('/metrics')).status).toBe(404)
  })

  it('one server after the other is replaced: callers repeat what was under way at most, as the SDKs do, and nothing is done twice', async () => {
    const over = new AbortController()
    const failed: string[] = []
    let [read, proposed] = [0, 0]
    const reading = async (): Promise<void> => {
      for (; !over.signal.aborted; read++) {
        // A connection that was kept may end in the moment in which it is used, as with any proxy: then once more, and no more.
        const first = await ask('/api/work/status')
        const { status, text } = first.status === 502 ? await ask('/api/work/status') : first
        if (status !== 200) failed.push(`read ${status} ${text}`)
      }
    }
    const proposing = async (): Promise<void> => {
      for (; !over.signal.aborted; proposed++) {
        const headers = { 'idempotency-key': crypto.randomUUID() }
        const body = { type: 'test.echo', payload: { messages: ['hi'] } }
        for (let tries = 1; ; tries++) {
          const { status, text } = await ask('/api/work/propose', { method: 'POST', key: crm.key, body, headers })
          if (status === 201) break
          if (![502, 503].includes(status) || tries === 20) {
            failed.push(`propose ${status} ${text}`)
            break
          }
        }
      }
    }
    const callers = Promise.all([reading(), reading(), proposing(), proposing()])
    const more = async () => {
      const before = [read, proposed]
      await until(async () => read > before[0]! + 10 && proposed > before[1]! + 10, 'callers go on')
    }
    await more()
    for (const n of [0, 1, 0]) {
      await relays[n]!.shut()
      await servers[n]!.manager.stop()
      await more()
      servers[n] = await startServer()
      await relays[n]!.lead(servers[n].url)
    }
    await more()
    over.abort()
    await callers
    expect(failed, nginx.errors()).toEqual([])
    const [{ n: orders }] = (await database.sql<{ n: number }>('select count(*)::int as n from wm.orders')) as [{ n: number }]
    const kept = await database.sql('select from wm.idempotency')
    expect(kept.length).toBeGreaterThanOrEqual(proposed)
    expect(orders).toBe(kept.length)
  })
})
