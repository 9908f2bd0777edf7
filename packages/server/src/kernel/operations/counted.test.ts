/** Counts that are remembered are exactly right, whichever process answers; and news of a revoked key travels by the record. */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { echoType } from '../../../testing/echo-type.ts'
import { type Caller, createCaller, startTestServer, type TestServer } from '../../../testing/test-server.ts'

let one: TestServer
let two: TestServer
let ann: Caller
let annAtTwo: Caller
beforeAll(async () => {
  one = await startTestServer({ types: [echoType], background: false })
  two = await startTestServer({ types: [echoType], background: false, database: one.database })
  ann = await one.caller('person', 'ann')
  annAtTwo = createCaller(two.url, ann.key, 'ann')
})
afterAll(async () => {
  await two.stop()
  await one.stop()
})
const propose = (caller: Caller) => caller.post('/propose', { type: 'test.echo', payload: { messages: ['a', 'b'] } })
const queued = async (caller: Caller): Promise<number> => (await caller.get('/status')).body.orders.queued
const total = async (caller: Caller): Promise<number> => (await caller.get('/orders?filter[state]=queued')).body.total

/** An order that comes in by hand, with or without its event. */
async function insertOrder(client: { query(text: string, values: unknown[]): Promise<unknown> }, withEvent: boolean): Promise<void> {
  const id = randomUUID()
  await client.query(
    `insert into wm.orders (tenant_id, id, type, type_version, state, priority, requested_by_principal, payload, on_item_failure,
        last_transitioned_at, created_at, updated_at)
     select tenant_id, $1, type, type_version, 'queued', 0, 'test', payload, on_item_failure, now(), now(), now() from wm.orders limit 1`,
    [id],
  )
  if (withEvent)
    await client.query(
      `insert into wm.intake (tenant_id, subject_ids, root_ids, kinds, labels, decided_at)
       select tenant_id, array[id], array[id], '{order.proposed}', array[type], now() from wm.orders where id = $1`,
      [id],
    )
}

it('a count is remembered, and right at once after a change at any process', async () => {
  await propose(ann)
  for (const look of [queued, total]) {
    const before = await look(ann)
    // Without an event nobody can know: this shows that the count was not made anew.
    await insertOrder({ query: (text, values) => one.database.sql(text, values) }, false)
    expect(await look(ann)).toBe(before)
    await propose(annAtTwo)
    expect(await look(ann)).toBe(before + 2)
    await propose(ann)
    expect(await look(annAtTwo)).toBe(before + 3)
  }
})

it('also right when a change commits that began before the count, and later ones are in it', async () => {
  const slow = new pg.Client({ connectionString: one.database.adminUrl })
  await slow.connect()
  try {
    await slow.query('begin')
    await insertOrder(slow, true)
    await propose(ann)
    const counts = [await queued(ann), await total(ann)]
    expect([await queued(ann), await total(ann)]).toEqual(counts)
    await slow.query('commit')
    expect([await queued(ann), await total(ann)]).toEqual(counts.map((count) => count + 1))
  } finally {
    await slow.end()
  }
})

it('filters do not share a count, nor do tenants', async () => {
  const zoe = await one.caller('person', 'zoe', { tenant: 'globex' })
  const all = await total(ann)
  expect(await total(zoe)).toBe(0)
  expect((await ann.get('/orders?filter[state]=applied')).body.total).toBe(0)
  expect((await ann.get('/orders')).body.total).toBe(all)
})

it('a key that another process revoked is refused as soon as the ledger has been read, not when its time is over', async () => {
  const { id, key } = (await ann.post('/keys', { name: 'k', kind: 'agent', principal_id: 'agent-1', abilities: ['work:view'] })).body
  const agent = createCaller(one.url, key, 'agent-1')
  await one.run('sequencer')
  await one.run('cache-invalidator')
  expect((await agent.get('/status')).status).toBe(200)
  expect((await annAtTwo.post(`/keys/${id}/revoke`, {})).status).toBe(200)
  // Remembered for a moment: that is what the news is for.
  expect((await agent.get('/status')).status).toBe(200)
  await two.run('sequencer')
  await one.run('cache-invalidator')
  expect((await agent.get('/status')).body.code).toBe('key_revoked')
})
