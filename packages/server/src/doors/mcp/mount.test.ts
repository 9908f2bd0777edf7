import http from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'

let story: Story
beforeAll(async () => {
  story = await startStory()
})
afterAll(() => story.server.stop())

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  readonly body: any
}

/** Plain HTTP, because fetch sets Host by itself. */
function send(headers: Record<string, string>, body: string, target = '/mcp', method = 'POST'): Promise<Answer> {
  const { hostname, port } = new URL(story.server.url)
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        hostname,
        port,
        path: target,
        method,
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        response.on('end', () => {
          let parsed: unknown
          try {
            parsed = JSON.parse(text)
          } catch {
            parsed = undefined
          }
          resolve({ status: response.statusCode!, headers: response.headers, text, body: parsed })
        })
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}
const key = () => ({ authorization: `Bearer ${story.agent.key}` })
const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '9' },
}
const message = (method: string, params: object = {}) =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { _meta: meta, ...params } })
const modern = (method: string, name?: string) => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name === undefined ? {} : { 'mcp-name': name }),
})
const list = message('tools/list')

describe('who may come', () => {
  it('nobody without a key, and without a key there are no tools', async () => {
    const answer = await send(modern('tools/list'), list)
    expect([answer.status, answer.body.code, answer.headers['www-authenticate']]).toEqual([
      401,
      'auth_required',
      'Bearer realm="work-manager"',
    ])
    expect(answer.text).not.toContain('work_checkout')
    expect((await send({ authorization: 'Bearer wm_nonsense' }, list)).status).toBe(401)
    expect((await send({}, '', '/mcp', 'GET')).status).toBe(401)
  })

  it('no page of another site', async () => {
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1.evil.example']) {
      const answer = await send({ ...key(), ...modern('tools/list'), origin }, list)
      expect([answer.status, answer.body.code], origin).toEqual([403, 'origin_refused'])
    }
    expect((await send({ ...key(), ...modern('tools/list'), origin: story.server.url }, list)).status).toBe(200)
  })

  it('no name that was made to point here', async () => {
    const answer = await send({ ...key(), ...modern('tools/list'), host: 'rebound.example:7420' }, list)
    expect([answer.status, answer.body.code]).toEqual([403, 'host_refused'])
    expect((await send({ ...key(), ...modern('tools/list'), host: 'localhost:1' }, list)).status).toBe(200)
  })

  it.each([
    'a@127.0.0.1',
    'a:b@127.0.0.1:7420',
    '127.0.0.1/path',
    '127.0.0.1?x',
    '127.0.0.1#x',
    '127.0.0.1:port',
    ' ',
    'a b',
    '[::1',
    '%31',
  ])('no host that is more than a name and a port: %s', async (host) => {
    const answer = await send({ ...key(), ...modern('tools/list'), host }, list)
    expect([answer.status, answer.body.code]).toEqual([403, 'host_refused'])
  })

  it('no key in the address', async () => {
    const answer = await send(modern('tools/list'), list, `/mcp?token=${story.agent.key}`)
    expect([answer.status, answer.body.code]).toEqual([400, 'bad_request'])
    expect(answer.text).not.toContain(story.agent.key)
  })

  it('nobody with a revoked key', async () => {
    const short = await story.server.caller('agent', 'short-lived')
    const { body } = await story.reviewer.get('/keys')
    const { id } = body.keys.find((one: { name: string }) => one.name === 'test short-lived')
    expect((await story.reviewer.post(`/keys/${id}/revoke`)).status).toBe(200)
    const answer = await send({ authorization: `Bearer ${short.key}`, ...modern('tools/list') }, list)
    expect([answer.status, answer.body.code]).toEqual([401, 'key_revoked'])
  })
})

describe('what a client reads', () => {
  const legacy = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/list', params: {} })
  const both = 'application/json, text/event-stream'
  it.each([
    ['*/*', 'application/json'],
    ['application/json', 'application/json'],
    ['application/*;q=0.5', 'application/json'],
    ['text/html, */*;q=0.1', 'application/json'],
    ['', 'application/json'],
    ['text/event-stream', 'text/event-stream'],
    ['text/*', 'text/event-stream'],
  ])('%s is enough, in both eras', async (accept, type) => {
    for (const [headers, body] of [
      [{ ...modern('tools/list') }, list],
      [{}, legacy],
    ] as const) {
      const answer = await send({ ...key(), ...headers, accept }, body)
      expect([answer.status, answer.headers['content-type']?.split(';')[0]], body).toEqual([200, type])
      const told = answer.body ?? JSON.parse(/^data: (.*)$/m.exec(answer.text)![1]!)
      expect(told.result.tools.length).toBeGreaterThan(10)
    }
  })
  it('with both named the protocol chooses, and a call of nothing that is spoken here is refused in time', async () => {
    expect((await send({ ...key(), ...modern('tools/list'), accept: both }, list)).headers['content-type']).toBe('application/json')
    expect((await send({ ...key(), accept: both }, legacy)).headers['content-type']).toBe('text/event-stream')
    const note = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })
    expect((await send({ ...key(), accept: '*/*' }, note)).status).toBe(202)
    for (const accept of ['text/html', 'application/json;q=0, image/png']) {
      const refused = await send({ ...key(), ...modern('tools/list'), accept }, list)
      expect([refused.status, refused.body.code], accept).toEqual([406, 'not_acceptable'])
    }
  })
})

describe('what is said', () => {
  it('one message per request, in strict JSON', async () => {
    const broken = await send(key(), '{"jsonrpc":')
    expect([broken.status, broken.body.error.code, broken.body.error.data.code]).toEqual([400, -32700, 'json_syntax'])
    const batch = await send(key(), `[${list},${list}]`)
    expect([batch.status, batch.body.error.code]).toEqual([400, -32600])
    expect(batch.body.error.message).toContain('one message per request')
    const twice = await send(key(), '{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}')
    expect([twice.status, twice.body.error.code, twice.body.error.data.code]).toEqual([400, -32600, 'duplicate_key'])
  })

  it('arguments as an object, or as its text; what is neither is refused in words that a model reads', async () => {
    const call = async (given: unknown) =>
      (await send({ ...key(), ...modern('tools/call', 'work_types') }, message('tools/call', { name: 'work_types', arguments: given })))
        .body.result
    expect((await call('{"type":"test.echo"}')).structuredContent.types).toHaveLength(1)
    for (const [given, detail] of [
      ['work', 'The arguments are a string; send an object.'],
      [['work'], 'The arguments are a list; send an object.'],
      ['{"type":', /^'arguments' is text that is no valid JSON \(line 1/],
      ['{"type":"a","type":"b"}', /appears twice/],
    ] as const) {
      const refused = await call(given)
      expect([refused.isError, refused.structuredContent.code]).toEqual([true, 'validation_failed'])
      expect(refused.structuredContent.detail).toMatch(detail)
    }
  })

  it('not more than a body may hold', async () => {
    const answer = await send(
      { ...key(), ...modern('tools/call', 'work_submit') },
      message('tools/call', { name: 'work_submit', arguments: { result: 'x'.repeat(1024 * 1024) } }),
    )
    expect([answer.status, answer.body.code]).toEqual([413, 'body_too_large'])
  })

  it('a version, a method and a name that agree with the body', async () => {
    const unknown = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/list',
      params: { _meta: { ...meta, 'io.modelcontextprotocol/protocolVersion': '2027-01-01' } },
    })
    const version = await send({ ...key(), ...modern('tools/list'), 'mcp-protocol-version': '2027-01-01' }, unknown)
    expect([version.status, version.body.error.code, version.body.error.data.supported]).toEqual([400, -32022, ['2026-07-28']])
    const name = await send(
      { ...key(), ...modern('tools/call', 'work_propose') },
      message('tools/call', { name: 'work_list', arguments: {} }),
    )
    expect([name.status, name.body.error.code]).toEqual([400, -32020])
    const method = await send({ ...key(), ...modern('tools/cal') }, message('tools/cal'))
    expect([method.status, method.body.error.code]).toEqual([404, -32601])
  })

  it('answers lists that only their reader may keep, and names the client on the record', async () => {
    const answer = await send({ ...key(), ...modern('tools/list') }, list)
    expect(answer.body.result).toMatchObject({ cacheScope: 'private', ttlMs: 60_000 })
    expect(answer.headers['cache-control']).toBe('private, no-store')
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const call = message('tools/call', {
      _meta: { ...meta, traceparent },
      name: 'work_propose',
      arguments: { type: 'test.echo', payload: { messages: ['hi'] }, idempotency_key: 'once' },
    })
    const proposed = await send({ ...key(), ...modern('tools/call', 'work_propose') }, call)
    const { order } = proposed.body.result.structuredContent
    const [event] = await story.server.database.sql<{ agent_name: string; agent_version: string; trace_id: string }>(
      `select p.agent_name, p.agent_version, e.trace_id from record e join wm.provenance p on p.tenant_id = e.tenant_id and p.id = e.provenance_id where e.order_id = $1 limit 1`,
      [order.id],
    )
    expect(event).toEqual({ agent_name: 'raw', agent_version: '9', trace_id: '0af7651916cd43dd8448eb211c80319c' })
  })
})
