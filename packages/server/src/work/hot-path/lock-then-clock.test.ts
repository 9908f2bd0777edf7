/**
 * Lock first, then look at the clock: a lease verb that waits for a row past the end of its lease is refused. `now()` and
 * `clock_timestamp()` inside the locking statement both call such a lease live, so each verb is made to wait and is judged after.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { holdItem, holdOrder, recordOf, type RowGate } from '../../../testing/row-gate.ts'
import { type Answer, type Caller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'

let server: TestServer
let proposer: Caller
let agent: Caller
let rita: Caller
let orderId: string
let item: { id: string; lease_token: string }

beforeAll(async () => {
  server = await startTestServer({ types: [essayType], background: false })
  proposer = await server.caller('service', 'crm')
  agent = await server.caller('agent', 'robin')
  rita = await server.caller('person', 'rita')
})
afterAll(() => server.stop())

beforeEach(async () => {
  orderId = (await proposer.post('/propose', { type: 'test.essay', payload: { titles: ['one'] } })).body.order.id
  item = (await agent.post(`/orders/${orderId}/checkout`)).body.item
})

const send = (verb: string, body: object = {}, token = item.lease_token): Promise<Answer> =>
  agent.post(`/items/${item.id}/${verb}`, { lease_token: token, ...body })
const verbs: [string, object][] = [
  ['heartbeat', {}],
  ['submit', { result: essay }],
  ['parts', { part_key: 'body', payload: essay.body }],
  ['finalize', {}],
  ['release', {}],
  ['fail', { class: 'transient', error: { code: 'down', message: 'The source is down.' } }],
]
/** finalize needs a part to get as far as the lock. */
const prepare = async (verb: string) => {
  if (verb === 'finalize') expect((await send('parts', { part_key: 'body', payload: essay.body })).status).toBe(202)
}
const leaseLasts = (interval: string) =>
  server.database.sql(`update wm.items set lease_expires_at = clock_timestamp() + $2::interval where id = $1`, [item.id, interval])

describe.each(verbs)('%s', (verb, body) => {
  it('that waits for the item past the end of its lease is refused and changes nothing', async () => {
    await prepare(verb)
    await leaseLasts('400 milliseconds')
    const before = await recordOf(server.database, orderId)
    const gate = await holdItem(server.database, item.id)
    const answer = send(verb, body)
    await gate.waiting()
    await until(
      async () =>
        (
          await gate.sql<{ over: boolean }>('select lease_expires_at < clock_timestamp() as over from wm.items where id = $1', [item.id])
        )[0]!.over,
      'the lease is over',
    )
    await gate.open()
    const { status, body: refusal } = await answer
    expect({ status, code: refusal.code, reason: refusal.reason }).toEqual({ status: 409, code: 'lease_expired', reason: 'expired' })
    expect(await recordOf(server.database, orderId)).toEqual(before)
  })

  it('that waits while the lease ends under the lock is refused, too', async () => {
    await prepare(verb)
    const gate = await holdItem(server.database, item.id)
    const answer = send(verb, body)
    await gate.waiting()
    await gate.sql('update wm.items set lease_expires_at = clock_timestamp() where id = $1', [item.id])
    await gate.open()
    expect(await answer).toMatchObject({ status: 409, body: { code: 'lease_expired' } })
  })

  it('that waits while the item is leased to somebody else is told that it was superseded', async () => {
    await prepare(verb)
    const gate = await holdItem(server.database, item.id)
    const answer = send(verb, body)
    await gate.waiting()
    await gate.sql(
      `update wm.items set generation = generation + 1, attempts = attempts + 1, lease_token = regexp_replace(lease_token, '^wl\\.1\\.1', 'wl.1.2') where id = $1`,
      [item.id],
    )
    const after = await gate.sql('select * from wm.items where id = $1', [item.id])
    await gate.open()
    expect(await answer).toMatchObject({ status: 409, body: { code: 'lease_lost', reason: 'superseded' } })
    expect(await server.database.sql('select * from wm.items where id = $1', [item.id])).toEqual(after)
  })

  it('that waits and is still in time succeeds', async () => {
    await prepare(verb)
    const gate = await holdItem(server.database, item.id)
    const answer = send(verb, body)
    await gate.waiting()
    await gate.open()
    expect([200, 202]).toContain((await answer).status)
  })

  // Every verb but a later heartbeat writes the order as well: it must take the order first, or it deadlocks against approve and cancel.
  it('waits for the order before it touches the item', async () => {
    await prepare(verb)
    const gate = await holdOrder(server.database, orderId)
    const answer = send(verb, body)
    await gate.waiting()
    await expect(gate.sql('select 1 from wm.items where id = $1 for update nowait', [item.id])).resolves.toHaveLength(1)
    await gate.open()
    expect([200, 202]).toContain((await answer).status)
  })
})

// Lock order is order, then items, everywhere: one verb that turned it round would deadlock against all the others.
describe.each<[string, (orderId: string) => Promise<void>, object]>([
  ['cancel', async () => {}, { reason: 'No.' }],
  ['reject', async () => void (await send('submit', { result: essay })), { errors: [{ field: 'body', code: 'dull', message: 'Dull.' }] }],
  [
    'requeue',
    async (id) => {
      await send('submit', { result: essay })
      await rita.post(`/orders/${id}/reject`, { errors: [{ field: 'body', code: 'dull', message: 'Dull.' }] })
    },
    { reason: 'Again.' },
  ],
])('%s', (verb, make, body) => {
  it('waits for the order before it touches an item', async () => {
    await make(orderId)
    const gate = await holdOrder(server.database, orderId)
    const answer = rita.post(`/orders/${orderId}/${verb}`, body)
    await gate.waiting()
    await expect(gate.sql('select 1 from wm.items where id = $1 for update nowait', [item.id])).resolves.toHaveLength(1)
    await gate.open()
    expect(await answer).toMatchObject({ status: 200 })
  })
})

describe('the lease reclaimer', () => {
  it('that waits while a heartbeat extends the lease leaves it alone', async () => {
    await server.database.sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [item.id])
    const gate: RowGate = await holdItem(server.database, item.id)
    const run = server.run('lease-reclaimer')
    await gate.waiting()
    await gate.sql(`update wm.items set lease_expires_at = clock_timestamp() + interval '1 minute' where id = $1`, [item.id])
    await gate.open()
    await run
    expect((await send('heartbeat')).status).toBe(200)
  })
})

it('a later heartbeat takes the item alone, so it never waits for writers of the order', async () => {
  expect((await send('heartbeat')).status).toBe(200)
  const gate = await holdOrder(server.database, orderId)
  expect((await send('heartbeat')).status).toBe(200)
  await gate.open()
})
