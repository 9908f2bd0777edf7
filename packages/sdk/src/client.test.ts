import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { operations } from '../../server/src/systems.ts'
import { echoType } from '../../server/testing/echo-type.ts'
import { holdItem } from '../../server/testing/row-gate.ts'
import { startTestServer, until, type TestServer } from '../../server/testing/test-server.ts'
import { startTcpProxy, type TcpProxy } from '../testing/tcp-proxy.ts'
import { createClient, type WorkManagerClient } from './client.ts'
import { isWorkError, WorkManagerConnectionError, WorkManagerError } from './errors.ts'
import { routes } from './generated/client.ts'

let server: TestServer
let proxy: TcpProxy
let agent: WorkManagerClient
let person: WorkManagerClient
let reviewer: WorkManagerClient
let agentKey: string

beforeAll(async () => {
  server = await startTestServer({ types: [echoType] })
  proxy = await startTcpProxy(server.url)
  agentKey = (await server.caller('agent', 'echoer')).key
  agent = createClient({ url: proxy.url, key: agentKey })
  person = createClient({ url: proxy.url, key: (await server.caller('person', 'ada')).key })
  reviewer = createClient({ url: proxy.url, key: (await server.caller('person', 'grace')).key })
})
afterAll(async () => {
  await proxy?.close()
  await server?.stop()
})

const rejection = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('operations', () => {
  it('every operation of the server has a method with its route', () => {
    const templated = operations.map(({ name, http: { method, path }, idempotency }) => ({
      operation: name,
      method,
      path: path.replaceAll(/:(\w+)/g, '{$1}'),
      takesKey: idempotency !== 'none',
    }))
    expect(
      Object.values(routes)
        .map(({ operation, method, path, takesKey }) => ({ operation, method, path, takesKey }))
        .sort((a, b) => a.operation.localeCompare(b.operation)),
    ).toEqual(templated.sort((a, b) => a.operation.localeCompare(b.operation)))
  })

  it('an order goes from proposal to applied change', async () => {
    const { order, items_count } = await person.proposeOrder({ type: 'test.echo', payload: { messages: ['hello'] }, meta: { team: 'a' } })
    expect(items_count).toBe(1)
    const { item } = await agent.checkoutOrderItem({ order: order.id })
    await agent.heartbeatItem({ item: item.id, lease_token: item.lease_token })
    const receipt = await agent.submitItem({ item: item.id, lease_token: item.lease_token, result: { echoed: 'hello', ok: true } })
    expect(receipt.order_state).toBe('submitted')
    const { order: seen } = await person.getOrder({ order: order.id })
    const approved = await reviewer.approveOrder({ order: order.id, digest: seen.digest })
    expect(approved.diff?.after).toMatchObject({ messages: ['hello'] })
  })

  it('reads with filters, pages and cursors', async () => {
    const { order } = await person.proposeOrder({ type: 'test.echo', payload: { messages: ['a', 'b'] } })
    const found = await person.listOrders({ filter: { id: order.id, state: ['queued', 'submitted'] }, page: { size: 5 }, include: 'items' })
    expect(found.data.map((one) => one.items?.length)).toEqual([2])
    const page = await person.listItems({ order: order.id, limit: 1 })
    const next = await person.listItems({ order: order.id, limit: 1, cursor: page.next_cursor! })
    expect(new Set([...page.data, ...next.data].map((one) => one.ordinal))).toEqual(new Set([0, 1]))
  })
})

describe('an operation by its name', () => {
  it('answers with the status, and says whether it was done now or before', async () => {
    const idempotencyKey = crypto.randomUUID()
    const input = { type: 'test.echo', payload: { messages: ['by name'] } }
    const first = await person.call('propose_order', input, { idempotencyKey })
    const again = await person.call('propose_order', input, { idempotencyKey })
    expect(first).toMatchObject({ status: 201, isReplayed: false, requestId: expect.stringMatching(/./) })
    expect(again).toMatchObject({ status: 201, isReplayed: true, output: { order: { id: first.output.order.id } } })
    expectTypeOf(first.output.items_count).toEqualTypeOf<number>()
  })

  it('that no server has is refused before anything is sent', async () => {
    const before = proxy.requests.length
    await expect(person.call('drop_tables' as 'get_status', {})).rejects.toThrow(/no operation "drop_tables"/)
    expect(proxy.requests.length).toBe(before)
  })

  it('carries the name of the story that it belongs to', async () => {
    const sent: (string | null)[] = []
    const client = createClient({
      url: proxy.url,
      key: agentKey,
      fetch: (input, init) => {
        sent.push(new Headers(init?.headers).get('x-correlation-id'))
        return fetch(input, init)
      },
    })
    await client.listOrderTypes({}, { correlationId: 'ticket-4711' })
    await client.listOrderTypes()
    expect(sent).toEqual(['ticket-4711', null])
  })
})

describe('refusals', () => {
  it('carry code, status, detail, fix, advice, fields and request id', async () => {
    const error = await rejection(person.proposeOrder({ type: 'test.echo', payload: { messages: [] } }))
    expect(error).toBeInstanceOf(WorkManagerError)
    if (!isWorkError(error, 'payload_invalid')) throw error
    expectTypeOf(error.code).toEqualTypeOf<'payload_invalid'>()
    expect(error).toMatchObject({
      code: 'payload_invalid',
      status: 422,
      retry: 'never',
      operation: 'propose_order',
      requestId: expect.stringMatching(/./),
    })
    expect(error.fix).not.toBe('')
    expect(error.message).toContain(error.detail)
    expect(error.errors[0]).toMatchObject({ field: 'messages', code: expect.any(String), message: expect.any(String) })
  })

  it('are told apart by code', async () => {
    const error = await rejection(agent.getItem({ item: '01890a5d-ac96-774b-bcce-b302099a8057' }))
    expect([isWorkError(error), isWorkError(error, 'not_found', 'lease_lost'), isWorkError(error, 'lease_lost')]).toEqual([
      true,
      true,
      false,
    ])
    expect(isWorkError(new Error('other'))).toBe(false)
  })

  it('findings of a hand-in are listed', async () => {
    const { order } = await person.proposeOrder({ type: 'test.echo', payload: { messages: ['hello'] } })
    const { item } = await agent.checkoutOrderItem({ order: order.id })
    const error = await rejection(agent.submitItem({ item: item.id, lease_token: item.lease_token, result: { echoed: 'wrong', ok: true } }))
    expect(isWorkError(error, 'verification_failed') && error.errors).toMatchObject([{ field: 'echoed', code: 'wrong_echo' }])
  })

  it('an empty queue is an answer at once, not repeated', async () => {
    const before = proxy.requests.length
    const error = await rejection(agent.checkoutItem({ min_priority: 32_000 }))
    expect(isWorkError(error, 'no_items_available') && error.retryAfterMs).toBeGreaterThan(0)
    expect(proxy.requests.length - before).toBe(1)
  })
})

describe('a lost answer', () => {
  it('the call is repeated with the same key, and was carried out once', async () => {
    const before = proxy.requests.length
    proxy.loseAnswer(/POST \S+\/propose/)
    const { order } = await person.proposeOrder({ type: 'test.echo', payload: { messages: ['once'] }, meta: { lost: 'yes' } })
    expect(proxy.requests.slice(before)).toEqual(['POST /api/work/propose', 'POST /api/work/propose'])
    const made = await person.listOrders({ filter: { meta: 'lost:yes' } })
    expect(made.data.map((one) => one.id)).toEqual([order.id])
  })

  it('a key of the caller repeats a call that the client gave up on', async () => {
    const payload = { messages: ['again'] }
    proxy.loseAnswer(/POST \S+\/propose/)
    const error = await rejection(person.proposeOrder({ type: 'test.echo', payload, meta: { lost: 'again' } }, { retry: false }))
    if (!(error instanceof WorkManagerConnectionError)) throw error
    const { order } = await person.proposeOrder(
      { type: 'test.echo', payload, meta: { lost: 'again' } },
      { idempotencyKey: error.idempotencyKey! },
    )
    const made = await person.listOrders({ filter: { meta: 'lost:again' } })
    expect(made.data.map((one) => one.id)).toEqual([order.id])
  })

  it('a call that makes something new each time is not repeated by itself', async () => {
    const before = proxy.requests.length
    proxy.loseAnswer(/POST \S+\/keys /)
    const error = await rejection(person.createKey({ kind: 'agent', principal_id: 'one', name: 'one', abilities: ['work:view'] }))
    expect(error).toMatchObject({ name: 'WorkManagerConnectionError', reason: 'unreachable', operation: 'create_key' })
    expect(proxy.requests.length - before).toBe(1)
  })
})

describe('a server that is busy', () => {
  it('is asked again with the same key, until it can answer', async () => {
    const { order } = await person.proposeOrder({ type: 'test.echo', payload: { messages: ['held'] } })
    const { item } = await agent.checkoutOrderItem({ order: order.id })
    const gate = await holdItem(server.database, item.id)
    const before = proxy.requests.length
    const call = agent.releaseItem({ item: item.id, lease_token: item.lease_token })
    await until(async () => proxy.requests.length - before >= 2, 'the call is repeated')
    await gate.open()
    expect((await call).item.state).toBe('queued')
    const released = (await person.getItemLogs({ item: item.id })).events.filter((event) => event.kind === 'item.released')
    expect(released).toHaveLength(1)
  })

  it('is left alone by a client that does not repeat, which hears why', async () => {
    const { order } = await person.proposeOrder({ type: 'test.echo', payload: { messages: ['held'] } })
    const { item } = await agent.checkoutOrderItem({ order: order.id })
    const gate = await holdItem(server.database, item.id)
    const error = await rejection(agent.releaseItem({ item: item.id, lease_token: item.lease_token }, { retry: false }))
    await gate.open()
    expect(isWorkError(error, 'busy') && [error.status, error.retry, error.idempotencyKey]).toEqual([
      503,
      'later',
      expect.stringMatching(/^[\w-]{36}$/),
    ])
  })
})

describe('what cannot work', () => {
  it('an abort ends the call and its waits with the reason of the signal', async () => {
    const closed = createClient({ url: 'http://127.0.0.1:9', key: agentKey, retry: { baseMs: 60_000, maxMs: 60_000, totalMs: Infinity } })
    const stopping = new AbortController()
    const call = rejection(closed.listOrderTypes({}, { signal: stopping.signal }))
    stopping.abort(new Error('enough'))
    expect(await call).toMatchObject({ message: 'enough' })
  })

  it('a stranger at the address is named, not retried', async () => {
    let asked = 0
    const stranger = http.createServer((_, response) => {
      asked++
      response.setHeader('content-type', 'text/html')
      response.end('<html></html>')
    })
    stranger.listen(0, '127.0.0.1')
    await once(stranger, 'listening')
    const url = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`
    const error = await rejection(createClient({ url, key: agentKey }).listOrderTypes())
    stranger.closeAllConnections()
    stranger.close()
    expect(error).toMatchObject({
      reason: 'not_work_manager',
      message: expect.stringContaining(url),
      answer: { status: 200, location: null, by: 'text/html' },
    })
    expect(asked).toBe(1)
  })

  it('nobody at the address is said in the words of the system; whoever asks not to wait is told at once', async () => {
    const client = createClient({ url: 'http://127.0.0.1:2', key: agentKey, retry: { on: (error) => error instanceof WorkManagerError } })
    const error = await rejection(client.listOrderTypes())
    expect(error).toMatchObject({ reason: 'unreachable', because: 'ECONNREFUSED', answer: null })
  })

  it('a timeout counts as no answer', async () => {
    const call = agent.checkoutItem({ min_priority: 32_000, wait: 5 }, { timeoutMs: 50, retry: false })
    expect(await rejection(call)).toMatchObject({ name: 'WorkManagerConnectionError', reason: 'timeout' })
  })

  it.each([
    [{ url: 'localhost:7420', key: 'wm_a' }, /http/],
    [{ url: 'http://localhost:7420', key: '' }, /keys create/],
    [{ url: 'http://localhost:7420', key: 'wm_a', agent: { name: 'naïve\n' } }, /x-agent-name/],
  ])('options are refused with what to do: %j', (options, message) => {
    expect(() => createClient(options)).toThrow(message)
  })

  it('an id that is no path segment is refused before anything is sent', async () => {
    const before = proxy.requests.length
    for (const item of ['', '..', undefined as unknown as string])
      await expect(agent.getItem({ item })).rejects.toThrow(/get_item: item must be/)
    await expect(agent.getItem({ item: '../keys' })).rejects.toMatchObject({ code: 'id_malformed' })
    expect(proxy.requests.slice(before)).toEqual(['GET /api/work/items/..%2Fkeys'])
  })

  it('a value that is no JSON is the caller’s mistake, not the network’s', async () => {
    const loop: Record<string, unknown> = {}
    loop.self = loop
    await expect(agent.proposeOrder({ type: 'test.echo', payload: loop })).rejects.toThrow(TypeError)
  })
})
