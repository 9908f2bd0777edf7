import { Writable } from 'node:stream'
import { errorCatalogue, WorkError } from '@work-manager/contract'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import Type from 'typebox'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { generateKey } from '../../access/api-keys.ts'
import { createAuthenticator } from '../../access/authenticate.ts'
import { defineOperation, type Operation } from '../../kernel/operations/operation.ts'
import type { OperationAnswer, OperationRequest } from '../../kernel/operations/run-operation.ts'
import { createHttpApp, type HttpAppOptions } from './app.ts'

const handler = async () => ({ status: 200, body: {} })

const submitNote = defineOperation({
  name: 'submit_note',
  summary: 'Hand in a note.',
  http: { method: 'POST', path: '/notes/:note/submit', aliases: ['/notes/:note/hand-in'], success: 202 },
  ability: 'work:submit',
  idempotency: 'required',
  refuses: [],
  command: { words: 'try submit_note' },
  tool: 'only this test knows it',
  input: Type.Object({ note: Type.String(), text: Type.String(), wait: Type.Optional(Type.Integer()) }),
  output: Type.Object({ ok: Type.Boolean() }),
  handler,
})
const takeNote = defineOperation({
  name: 'take_note',
  summary: 'Take any note.',
  http: { method: 'POST', path: '/take', success: 200 },
  ability: 'work:checkout',
  idempotency: 'none',
  waits: true,
  refuses: [],
  command: { words: 'try take_note' },
  tool: 'only this test knows it',
  input: Type.Object({ wait: Type.Optional(Type.Integer()), filter: Type.Optional(Type.Unknown()) }),
  output: Type.Object({ ok: Type.Boolean() }),
  handler,
})
const listNotes = defineOperation({
  name: 'list_notes',
  summary: 'List notes.',
  http: { method: 'GET', path: '/notes', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: [],
  command: { words: 'try list_notes' },
  tool: 'only this test knows it',
  input: Type.Object({ filter: Type.Optional(Type.Unknown()), page: Type.Optional(Type.Object({ size: Type.Optional(Type.Integer()) })) }),
  output: Type.Object({ data: Type.Array(Type.Unknown()) }),
  handler,
})
// The list holds operations of different inputs, as the real one does.
const operations = [submitNote, takeNote, listNotes] as unknown as Operation[]

const key = generateKey('agent')
const tenantId = '01890a5d-ac96-774b-bcce-b302099a8057'
const { authenticate } = createAuthenticator({
  lookUp: async (hash) =>
    hash.equals(key.hash)
      ? {
          tenantId,
          tenantSlug: 'acme',
          id: 'k1',
          principalKind: 'agent',
          principalId: 'agent-1',
          abilities: ['work:*'],
          expires: null,
          revoked: null,
          tenantSuspended: false,
          tier: 'default',
        }
      : null,
})

interface Call {
  readonly operation: string
  readonly request: OperationRequest
}

let app: FastifyInstance
let calls: Call[]
let logged: Record<string, unknown>[]
let answer: (request: OperationRequest) => OperationAnswer | Promise<OperationAnswer>

function start(changes: Partial<HttpAppOptions> = {}): FastifyInstance {
  return createHttpApp({
    operations,
    runOperation: async (operation, request) => {
      // As the real one does first: the body is read when somebody asks for what it says.
      void request.input
      calls.push({ operation: operation.name, request })
      return answer(request)
    },
    authenticate,
    health: { live: () => true, ready: async () => ({ ok: true, checks: { database: 'ok' } }) },
    log: pino(
      {},
      new Writable({
        write(line, _encoding, done) {
          logged.push(JSON.parse(String(line)) as Record<string, unknown>)
          done()
        },
      }),
    ),
    version: '1.2.3',
    draining: () => false,
    ...changes,
  })
}

beforeEach(() => {
  calls = []
  logged = []
  answer = () => ({ status: 202, bytes: '{"ok":true}', replayed: false })
  app = start()
})
afterEach(() => app.close())

const authorization = `Bearer ${key.plain}`
const json = { authorization, 'content-type': 'application/json' }

const post = (url: string, payload?: string | Buffer, headers: Record<string, string> = json) =>
  app.inject({ method: 'POST', url, headers, ...(payload !== undefined && { payload }) })
const get = (url: string, headers: Record<string, string> = { authorization }) => app.inject({ method: 'GET', url, headers })

describe('a call', () => {
  test('carries who, what, and the body with the path', async () => {
    const response = await post('/api/work/notes/n1/submit', '{"text":"hi","note":"from the body"}', {
      ...json,
      'idempotency-key': 'abc',
      'x-agent-name': 'Ann',
      'x-request-id': 'mine-1',
    })
    expect(response.statusCode).toBe(202)
    expect(response.body).toBe('{"ok":true}')
    const { operation, request } = calls[0]!
    expect(operation).toBe('submit_note')
    expect(request.principal).toMatchObject({ tenantId, name: 'agent:agent-1' })
    expect(request.provenance).toMatchObject({ agentId: 'agent-1', agentName: 'Ann', ip: '127.0.0.1' })
    expect(request.input).toEqual({ text: 'hi', note: 'n1' })
    expect(request).toMatchObject({ idempotencyKey: 'abc', requestId: 'mine-1', fingerprintSource: 'POST /notes/n1/submit' })
  })

  test.each(['/api/work', '/api/agent/work', '/agent/work'])('is the same call under %s and through an alias', async (mount) => {
    const expected = ['submit_note', { text: 'hi', note: 'n1' }, 'POST /notes/n1/submit']
    await post(`${mount}/notes/n1/submit`, '{"text":"hi"}')
    await post(`${mount}/notes/n1/hand-in/`, '{"text":"hi"}')
    expect(calls.map(({ operation, request }) => [operation, request.input, request.fingerprintSource])).toEqual([expected, expected])
  })

  test('takes query members of a POST, and the body wins', async () => {
    await post('/api/work/take?wait=20')
    await post('/api/work/take?wait=20', '{"wait":5}')
    expect(calls.map(({ request }) => request.input)).toEqual([{ wait: 20 }, { wait: 5 }])
  })

  test('reads the query of a GET', async () => {
    await get('/api/work/notes?filter[items.state]=queued&page[size]=10')
    expect(calls[0]!.request.input).toEqual({ filter: { 'items.state': 'queued' }, page: { size: 10 } })
  })

  test('may have no body where no member is required', async () => {
    expect((await post('/api/work/take', undefined, { authorization })).statusCode).toBe(202)
    expect((await post('/api/work/take', '', json)).statusCode).toBe(202)
    expect(calls.map(({ request }) => request.input)).toEqual([{}, {}])
  })

  test('does not look at idempotency headers where the operation has no use for them', async () => {
    await post('/api/work/take', '{}', { ...json, 'idempotency-key': 'not a key' })
    expect(calls[0]!.request.idempotencyKey).toBeUndefined()
  })

  test('by HEAD answers like GET without the body', async () => {
    const response = await app.inject({ method: 'HEAD', url: '/api/work/notes', headers: { authorization } })
    expect(response.statusCode).toBe(202)
    expect(response.body).toBe('')
    expect(response.headers['content-length']).toBe('11')
  })

  test('ignores method overrides', async () => {
    await app.inject({ method: 'GET', url: '/api/work/notes?_method=POST', headers: { authorization, 'x-http-method-override': 'DELETE' } })
    expect(calls[0]!.operation).toBe('list_notes')
  })
})

describe('an answer', () => {
  test('is private, typed, and carries a request id', async () => {
    const { headers } = await get('/api/work/notes')
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'private, no-store',
      vary: 'Authorization',
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.stringMatching(/^req_[0-9a-f-]{36}$/),
    })
    expect(headers['access-control-allow-origin']).toBeUndefined()
    expect(headers['idempotent-replayed']).toBeUndefined()
  })

  test('says when it is a replay, and until when', async () => {
    answer = () => ({ status: 202, bytes: '{ "kept":  true}', replayed: true, idempotencyExpires: '2026-03-01T00:00:00.000Z' })
    const response = await post('/api/work/notes/n1/submit', '{"text":"hi"}')
    expect(response.body).toBe('{ "kept":  true}')
    expect(response.headers).toMatchObject({ 'idempotent-replayed': 'true', 'idempotency-expires': '2026-03-01T00:00:00.000Z' })
  })

  test.each(['x'.repeat(129), 'two words', 'nül'])('does not repeat the request id %j', async (id) => {
    expect((await get('/api/work/notes', { authorization, 'x-request-id': id })).headers['x-request-id']).toMatch(/^req_/)
  })
})

describe('a refusal', () => {
  const refusals: [string, () => ReturnType<typeof post>, keyof typeof errorCatalogue, RegExp][] = [
    ['no credentials', () => get('/api/work/notes', {}), 'auth_required', /keys create/],
    ['a key without Bearer', () => get('/api/work/notes', { authorization: key.plain }), 'auth_malformed', /Bearer/],
    ['an unknown key', () => get('/api/work/notes', { authorization: `Bearer ${generateKey('agent').plain}` }), 'key_unknown', /not known/],
    ['no body', () => post('/api/work/notes/n1/submit', undefined, { authorization }), 'body_required', /text/],
    ['broken JSON', () => post('/api/work/notes/n1/submit', '{"text":'), 'json_syntax', /line 1, column 9/],
    ['an array', () => post('/api/work/notes/n1/submit', '[]'), 'json_root', /object/],
    ['a byte order mark', () => post('/api/work/notes/n1/submit', '\ufeff{}'), 'encoding', /byte order mark/],
    [
      'plain text',
      () => post('/api/work/take', '{}', { authorization, 'content-type': 'text/plain' }),
      'unsupported_media_type',
      /text\/plain/,
    ],
    [
      'a form',
      () => post('/api/work/take', 'a=b', { authorization, 'content-type': 'application/x-www-form-urlencoded' }),
      'unsupported_media_type',
      /application\/json/,
    ],
    [
      'another charset',
      () => post('/api/work/take', '{}', { authorization, 'content-type': 'application/json; charset=utf-7' }),
      'unsupported_media_type',
      /utf-7/,
    ],
    [
      'a content type that is none',
      () => post('/api/work/take', '{}', { authorization, 'content-type': 'nonsense' }),
      'unsupported_media_type',
      /application\/json/,
    ],
    [
      'a compressed body',
      () => post('/api/work/take', '{}', { ...json, 'content-encoding': 'gzip' }),
      'unsupported_media_type',
      /uncompressed/,
    ],
    ['a body over the limit', () => post('/api/work/take', `{"a":"${'x'.repeat(1024 * 1024)}"}`), 'body_too_large', /1048576/],
    [
      'a malformed idempotency key',
      () => post('/api/work/notes/n1/submit', '{"text":"a"}', { ...json, 'idempotency-key': 'a b' }),
      'idempotency_key_malformed',
      /white space/,
    ],
    ['a bad header', () => get('/api/work/notes', { authorization, 'x-agent-name': 'x'.repeat(256) }), 'bad_request', /X-Agent-Name/],
    ['an unknown route', () => get('/api/work/note'), 'no_such_route', /Did you mean GET \/api\/work\/notes/],
    [
      'a misspelt route with an id',
      () => post('/api/work/note/n1/submitt', '{}'),
      'no_such_route',
      /Did you mean POST \/api\/work\/notes\/:note\/submit/,
    ],
    ['a route without its mount', () => get('/notes'), 'no_such_route', /Did you mean GET \/api\/work\/notes/],
    ['a route like no other', () => get('/wp-admin/setup.php?x=1'), 'no_such_route', /\/openapi.json/],
    [
      'another method',
      () => app.inject({ method: 'PUT', url: '/api/work/notes', headers: json, payload: '{}' }),
      'method_not_allowed',
      /GET \/api\/work\/notes \(list_notes\)/,
    ],
    ['a path that is not UTF-8', () => get('/api/work/notes/%zz/submit'), 'bad_request', /percent-encoded/],
    ['an id of 5 kB', () => post(`/api/work/notes/${'x'.repeat(5000)}/submit`, '{}'), 'id_malformed', /too long/],
    ['a repeated parameter', () => get('/api/work/notes?sort=a&sort=b'), 'invalid_filter', /once/],
    ['a prototype in the query', () => get('/api/work/notes?filter[__proto__]=1'), 'forbidden_key', /__proto__/],
  ]

  test.each(refusals)('for %s is a problem object', async (_name, send, code, mentions) => {
    const response = await send()
    expect(response.json()).toMatchObject({
      code,
      status: errorCatalogue[code].status,
      request_id: response.headers['x-request-id'],
      error: { code },
    })
    expect(response.statusCode).toBe(errorCatalogue[code].status)
    expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(response.headers).toMatchObject({
      'cache-control': 'private, no-store',
      vary: 'Authorization',
      'x-content-type-options': 'nosniff',
    })
    expect(response.body).toMatch(mentions)
    expect(response.body).not.toContain(key.plain)
    expect(calls).toEqual([])
    expect(logged).toEqual([])
  })

  test('names the way to authenticate, the allowed methods and the accepted type in headers', async () => {
    expect((await get('/api/work/notes', {})).headers['www-authenticate']).toBe('Bearer realm="work-manager"')
    expect((await app.inject({ method: 'DELETE', url: '/api/work/notes' })).headers['allow']).toBe('GET, HEAD')
    expect(
      (await app.inject({ method: 'OPTIONS', url: '/api/work/take', headers: { origin: 'https://example.com' } })).headers['allow'],
    ).toBe('POST')
    expect((await post('/api/work/take', 'x', { authorization, 'content-type': 'text/plain' })).headers['accept-post']).toBe(
      'application/json',
    )
  })

  test('of an operation keeps its members, and says when to come back', async () => {
    answer = () => {
      throw new WorkError('no_items_available', { extra: { reason: 'none_queued' }, retryAfterSeconds: 7 })
    }
    const response = await post('/api/work/take', '{}')
    expect(response.statusCode).toBe(409)
    expect(response.headers['retry-after']).toBe('7')
    expect(response.json()).toMatchObject({ code: 'no_items_available', reason: 'none_queued', retry: 'later' })
  })

  test('for a bug says nothing but the request id, and is logged once', async () => {
    answer = () => {
      throw Object.assign(new Error('connection to db.internal failed', { cause: new Error('secret cause') }), {
        code: 'XX000',
        parameters: ['secret parameter'],
      })
    }
    const response = await post('/api/work/take', '{}')
    expect(response.statusCode).toBe(500)
    expect(response.json().code).toBe('internal')
    expect(response.body).not.toMatch(/db\.internal|secret|at /)
    expect(logged).toHaveLength(1)
    expect(logged[0]).toMatchObject({
      request_id: response.headers['x-request-id'],
      operation: 'take_note',
      err: { message: 'connection to db.internal failed: secret cause' },
    })
    expect(JSON.stringify(logged)).not.toContain('secret parameter')
  })
})

describe('the log', () => {
  test('names a slow call, unless waiting is what its operation does', async () => {
    app = start({ settings: { slowRequestMs: -1 } })
    await post('/api/work/take', '{}')
    expect(logged).toEqual([])
    await get('/api/work/notes')
    expect(logged).toEqual([expect.objectContaining({ msg: 'slow request', operation: 'list_notes' })])
  })
})

describe('a server that cannot work as usual', () => {
  test('takes no writes on a full disk, but reads', async () => {
    app = start({ storage: () => 'read_only' })
    const write = await post('/api/work/take', '{}')
    expect(write.statusCode).toBe(507)
    expect(write.json().code).toBe('storage_low')
    expect((await get('/api/work/notes')).statusCode).toBe(202)
  })

  test('sends callers elsewhere while it drains', async () => {
    app = start({ draining: () => true })
    for (const response of [await get('/api/work/notes'), await get('/readyz')]) {
      expect(response.statusCode).toBe(503)
      expect(response.json().code).toBe('draining')
      expect(response.headers).toMatchObject({ connection: 'close', 'retry-after': '2' })
    }
    expect((await get('/livez')).statusCode).toBe(200)
  })
})

describe('settings', () => {
  test('mounts, idempotency headers, body limit and anonymous addresses', async () => {
    app = start({ settings: { mounts: ['/wm'], idempotencyHeaders: ['x-once'], bodyLimitBytes: 64, anonymizeIp: true } })
    expect((await post('/api/work/take', '{}')).statusCode).toBe(404)
    expect((await post('/wm/take', `{"a":"${'x'.repeat(64)}"}`)).statusCode).toBe(413)
    await post('/wm/notes/n1/submit', '{"text":"a"}', { ...json, 'x-once': 'k', 'idempotency-key': 'ignored' })
    expect(calls[0]!.request).toMatchObject({ idempotencyKey: 'k', provenance: { ip: '127.0.0.0' } })
  })

  test('a forwarded address counts only when its proxy is trusted', async () => {
    const headers = { authorization, 'x-forwarded-for': '198.51.100.9' }
    await get('/api/work/notes', headers)
    app = start({ settings: { trustProxy: '127.0.0.1' } })
    await get('/api/work/notes', headers)
    expect(calls.map(({ request }) => request.provenance.ip)).toEqual(['127.0.0.1', '198.51.100.9'])
  })
})

describe('what the server says about itself', () => {
  test('needs no key', async () => {
    expect((await get('/', {})).json()).toEqual({
      name: 'Work Manager',
      version: '1.2.3',
      links: {
        operations: '/api/work',
        mcp: '/mcp',
        docs: '/docs',
        llms: '/llms.txt',
        openapi: '/openapi.json',
        live: '/livez',
        ready: '/readyz',
      },
    })
    expect((await get('/livez', {})).json()).toEqual({ status: 'ok' })
    expect((await get('/readyz', {})).json()).toEqual({ status: 'ok', checks: { database: 'ok' } })
    expect((await get('/openapi.json', {})).json().openapi).toBe('3.1.0')
  })

  test('is honest when it is not ready, without details of the failure', async () => {
    app = start({ health: { live: () => false, ready: async () => ({ ok: false, checks: { database: 'does not answer' } }) } })
    expect((await get('/livez', {})).statusCode).toBe(503)
    const unready = await get('/readyz', {})
    expect([unready.statusCode, unready.json()]).toEqual([503, { status: 'not_ready', checks: { database: 'does not answer' } }])
    app = start({ health: { live: () => true, ready: () => Promise.reject(new Error('password wrong')) } })
    expect((await get('/readyz', {})).body).toBe('{"status":"not_ready","checks":{}}')
  })
})
