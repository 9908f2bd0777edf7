/** A key that ends while its holder waits: nothing is handed over any more, and what the holder had is for others. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { essayType } from '../../../testing/essay-type.ts'
import { type Answer, type Caller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import { operations } from '../../systems.ts'

let server: TestServer
let boss: Caller
let crm: Caller
beforeAll(async () => {
  server = await startTestServer({ types: [essayType], background: false })
  boss = await server.caller('person', 'boss')
  crm = await server.caller('service', 'crm')
})
afterAll(() => server.stop())
beforeEach(() =>
  server.database.sql(
    `update wm.items set state = 'cancelled', lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null where state in ('queued', 'leased')`,
  ),
)

const propose = async (): Promise<string> =>
  (await crm.post('/propose', { type: 'test.essay', payload: { titles: ['one'] } })).body.order.id as string
let made = 0
const someAgent = (): Promise<Caller> => server.caller('agent', `agent-${++made}`)
const keyOf = async (who: Caller): Promise<string> =>
  (await server.database.sql<{ id: string }>(`select id from wm.api_keys where principal_id = $1 and revoked_at is null`, [who.id]))[0]!.id

const ways: ReadonlyArray<[string, (who: Caller) => Promise<unknown>, string]> = [
  ['revoked', async (who) => expect((await boss.post(`/keys/${await keyOf(who)}/revoke`)).status).toBe(200), 'key_revoked'],
  [
    'expired',
    async (who) => server.database.sql(`update wm.api_keys set expires_at = clock_timestamp() where id = $1`, [await keyOf(who)]),
    'key_expired',
  ],
]

/** Through HTTP and through MCP: the code of the refusal, or what was taken. */
const doors: ReadonlyArray<[string, (who: Caller, wait: number) => Promise<{ code?: string; item?: unknown }>]> = [
  ['HTTP', async (who, wait) => (await who.post(`/checkout?wait=${wait}`)).body],
  ['MCP', async (who, wait) => (await tool(who, 'work_checkout', { wait })).structuredContent],
]
async function tool(who: Caller, name: string, given: object): Promise<{ structuredContent: { code?: string; item?: unknown } }> {
  const response = await fetch(new URL('/mcp', server.url), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${who.key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: given } }),
  })
  const text = await response.text()
  const json = text.startsWith('{') ? text : /^data: (.*)$/m.exec(text)![1]!
  return (JSON.parse(json) as { result: never }).result
}

/** How many wait on the signal right now. */
function waiters(): { now(): number; stop(): void } {
  const { signal } = server.manager.tools
  const { wait } = signal
  let n = 0
  signal.wait = async (...args) => {
    n++
    return wait(...args).finally(() => n--)
  }
  return { now: () => n, stop: () => void (signal.wait = wait) }
}

describe.each(doors)('a checkout that waits over %s', (_, take) => {
  it.each(ways)('gets nothing once its key is %s', async (__, end, code) => {
    const who = await someAgent()
    const watch = waiters()
    const answer = take(who, 20)
    await until(async () => watch.now() > 0, 'it waits')
    await end(who)
    const order = await propose()
    expect(await answer).toMatchObject({ code })
    watch.stop()
    expect(await server.database.sql('select state, attempts from wm.items where order_id = $1', [order])).toEqual([
      { state: 'queued', attempts: 0 },
    ])
  })

  it('gets nothing once its agent is paused, although the key works', async () => {
    const who = await someAgent()
    const watch = waiters()
    const answer = take(who, 2)
    await until(async () => watch.now() > 0, 'it waits')
    expect((await boss.post('/pauses', { agent: who.id, reason: 'odd' })).status).toBe(200)
    await propose()
    expect(await answer).toMatchObject({ code: 'paused' })
    watch.stop()
  })
})

describe('every verb that waits', () => {
  it.each(ways)('says no more once the key is %s', async (__, end, code) => {
    const who = await someAgent()
    const order = await propose()
    const watch = waiters()
    const answer: Promise<Answer> = who.get(`/orders/${order}/why?wait=30`)
    await until(async () => watch.now() > 0, 'it waits')
    await end(who)
    expect((await answer).body).toMatchObject({ code })
    watch.stop()
  })

  it('waits through its context, which asks for the key: no operation waits on the signal itself', async () => {
    const source = path.join(import.meta.dirname, '../..')
    const files = (await readdir(source, { recursive: true })).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    const direct: string[] = []
    for (const name of files) if (/signal\.wait\(/.test(await readFile(path.join(source, name), 'utf8'))) direct.push(name)
    // Background services have no key, nor have other systems that follow an order; the rest is the context itself.
    const withoutKey = ['kernel/service.ts', 'work/api.ts']
    expect(direct.filter((name) => !withoutKey.includes(name))).toEqual(['kernel/operations/operation-call.ts'])
  })

  it('is named as one that waits, wherever its input has a wait', () => {
    const waiting = operations.filter((operation) => 'wait' in operation.input.properties)
    expect(waiting.map(({ name }) => name).sort()).toEqual(['checkout_item', 'checkout_order_item', 'explain_order'])
    expect(waiting.filter(({ waits }) => waits !== true)).toEqual([])
  })
})

describe('what the holder of a revoked key had', () => {
  it('is ready for the next agent at once, and its token is dead', async () => {
    const who = await someAgent()
    const order = await propose()
    const { item } = (await who.post('/checkout')).body
    await boss.post(`/keys/${await keyOf(who)}/revoke`)
    expect(await server.database.sql('select state, lease_token, leased_by_principal from wm.items where order_id = $1', [order])).toEqual([
      { state: 'queued', lease_token: null, leased_by_principal: null },
    ])
    const next = await someAgent()
    expect((await next.post('/checkout')).body.item).toMatchObject({ id: item.id })
    const { events } = (await boss.get(`/items/${item.id}/logs`)).body
    expect(events.find((event: { kind: string }) => event.kind === 'item.lease_revoked')).toMatchObject({
      message: 'The key of its holder was revoked.',
    })
  })

  it('stays with it while another key of it works: a rotated key is revoked without losing work', async () => {
    const who = await someAgent()
    await propose()
    const { item } = (await who.post('/checkout')).body
    const id = await keyOf(who)
    expect((await boss.post(`/keys/${id}/rotate`)).status).toBe(201)
    await boss.post(`/keys/${id}/revoke`)
    expect(await server.database.sql('select leased_by_principal from wm.items where id = $1', [item.id])).toEqual([
      { leased_by_principal: `agent:${who.id}` },
    ])
  })

  it('is taken back by the command of the server, too', async () => {
    const who = await someAgent()
    await propose()
    const { item } = (await who.post('/checkout')).body
    await server.manager.keys.revoke('acme', await keyOf(who))
    expect(await server.database.sql('select state from wm.items where id = $1', [item.id])).toEqual([{ state: 'queued' }])
  })
})
