import { WorkManagerError } from '@work-manager/sdk'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { holdingLease } from './agents/agent.ts'
import { type LeasedItem, WorkApi } from './client.ts'
import { DemoError } from './demo-error.ts'

interface Seen {
  readonly method: string
  readonly url: string
  readonly key: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
}
type Reply = { status: number; body?: unknown; headers?: Record<string, string>; contentType?: string }

let server: Server | undefined
afterEach(() => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve())))

/** A real server that answers as told, call by call, and remembers what it was asked. */
async function answering(reply: (call: Seen, number: number) => Reply) {
  const seen: Seen[] = []
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const call = {
        method: request.method ?? '',
        url: request.url ?? '',
        key: request.headers['idempotency-key'] as string | undefined,
        headers: request.headers,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      }
      seen.push(call)
      const { status, body = {}, headers = {}, contentType = 'application/json' } = reply(call, seen.length)
      response.writeHead(status, { 'content-type': contentType, ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/work`
  return { seen, base, api: clientOf(base) }
}
const clientOf = (base: string, signal: AbortSignal = new AbortController().signal) =>
  new WorkApi({ base, key: 'wm_secret', who: 'magpie', signal })

const problem = (status: number, code: string, more: object = {}): Reply => ({
  status,
  body: { status, code, detail: `${code}.`, fix: 'Do it right.', retry: 'never', ...more },
  contentType: 'application/problem+json; charset=utf-8',
})
const item: LeasedItem = {
  id: 'i1',
  order_id: 'o1',
  input: {},
  lease_token: 'wl.1',
  lease_expires_at: '',
  heartbeat_every_seconds: 60,
  attempt: 1,
  last_error: null,
}

it('a change carries key, name and a new idempotency key each time', async () => {
  const { api, seen } = await answering(() => ({ status: 202, body: { order_state: 'in_progress' } }))
  await api.submit(item, { packages: [] })
  await api.submit(item, { packages: [] })
  expect(seen[0]).toMatchObject({
    method: 'POST',
    url: '/api/work/items/i1/submit',
    body: { lease_token: 'wl.1', result: { packages: [] } },
  })
  expect(seen[0]!.headers).toMatchObject({ authorization: 'Bearer wm_secret', 'x-agent-name': 'magpie' })
  expect(seen[0]!.key).toBeTruthy()
  expect(seen[0]!.key).not.toBe(seen[1]!.key)
})

it('what is temporary is repeated with the same idempotency key after Retry-After', async () => {
  const { api, seen } = await answering((_call, number) =>
    number === 1
      ? { ...problem(503, 'busy', { retry: 'later' }), headers: { 'retry-after': '0.01' } }
      : { status: 202, body: { order_state: 'submitted' } },
  )
  expect(await api.submit(item, { packages: [] })).toEqual({ order_state: 'submitted' })
  expect(seen.map((call) => call.key)).toEqual([seen[0]!.key, seen[0]!.key])
})

it('a refusal is not repeated, and brings its field errors', async () => {
  const finding = { field: 'packages.0.quote', code: 'quote_not_found', message: 'Copy the text.' }
  const { api, seen } = await answering(() =>
    problem(422, 'verification_failed', { errors: { 'packages.0.quote': ['Copy the text.'] }, error_list: [finding] }),
  )
  const refusal = await api.submit(item, {}).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(WorkManagerError)
  expect(refusal).toMatchObject({ status: 422, code: 'verification_failed', errors: [finding] })
  expect(seen).toHaveLength(1)
})

it('no item after the wait is an answer, not an error', async () => {
  const { api, seen } = await answering(() => ({
    ...problem(409, 'no_items_available', { retry: 'later' }),
    headers: { 'retry-after': '1' },
  }))
  expect(await api.checkout('o1', 5, new AbortController().signal)).toBeNull()
  expect(seen.map((call) => [call.url, call.body])).toEqual([['/api/work/orders/o1/checkout', { wait: 5 }]])
})

it('a replayed approval says that it was replayed', async () => {
  const { api, seen } = await answering((_call, number) => ({
    status: 200,
    body: { order: {}, diff: null },
    headers: { 'idempotent-replayed': String(number === 2) },
  }))
  expect(await api.approve('o1', 'sha256:1', 'k')).toMatchObject({ isReplayed: false })
  expect(await api.approve('o1', 'sha256:1', 'k')).toMatchObject({ isReplayed: true })
  expect(seen.map((call) => [call.key, call.body])).toEqual([
    ['k', { digest: 'sha256:1' }],
    ['k', { digest: 'sha256:1' }],
  ])
})

it('every page of a collection is read', async () => {
  const { api } = await answering((call) => ({
    status: 200,
    body: call.url.includes('cursor=n%2F1') ? { data: [{ value: 2 }], next_cursor: null } : { data: [{ value: 1 }], next_cursor: 'n/1' },
  }))
  expect(await api.records('license_inventory')).toEqual([1, 2])
})

it('a refused key is one clear line, and the line does not hold the key', async () => {
  const { api } = await answering(() => problem(401, 'key_unknown'))
  const error = await api.getOrder('o1').catch((thrown: unknown) => thrown as DemoError)
  expect(error).toBeInstanceOf(DemoError)
  expect(error).toMatchObject({
    code: 'key_unknown',
    message: "The server refuses the demo's key for magpie: key_unknown.",
    fix: expect.stringContaining('npm start'),
  })
  expect(JSON.stringify(error)).not.toContain('wm_secret')
})

it('another program at the address, or none, is named', async () => {
  const { api, base } = await answering(() => ({ status: 200, body: '<html>', contentType: 'text/html' }))
  await expect(api.getOrder('o1')).rejects.toMatchObject({ code: 'not_work_manager', message: expect.stringContaining(base) })
  await new Promise<void>((resolve) => server!.close(() => resolve()))
  server = undefined
  await expect(api.getOrder('o1')).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('ECONNREFUSED') })
})

it('an aborted signal ends a wait with its own reason', async () => {
  const stop = new AbortController()
  const { base } = await answering(() => {
    stop.abort(new Error('Ctrl-C'))
    return { ...problem(503, 'busy', { retry: 'later' }), headers: { 'retry-after': '20' } }
  })
  await expect(clientOf(base, stop.signal).getOrder('o1')).rejects.toThrow('Ctrl-C')
})

it('a heartbeat goes out at once, carries the token, and ends with the work', async () => {
  const beaten = Promise.withResolvers<void>()
  const { api, seen } = await answering((call) => {
    if (call.url.endsWith('/heartbeat')) beaten.resolve()
    return { status: 200, body: { lease_expires_at: '' } }
  })
  expect(await holdingLease(item, api, async () => (await beaten.promise, 'done'))).toBe('done')
  expect(seen).toMatchObject([{ url: '/api/work/items/i1/heartbeat', body: { lease_token: 'wl.1' } }])
})

it('work goes on to its end when a heartbeat is refused: handing in tells what is wrong', async () => {
  const { api } = await answering(() => problem(409, 'lease_lost'))
  await expect(holdingLease(item, api, () => api.submit(item, {}))).rejects.toMatchObject({ code: 'lease_lost' })
})
