/** Proposals that come in together: two round trips for all of them, and each is answered as if it had come alone. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { listenToRoundTrips } from '../../../testing/round-trips.ts'
import { closeGate } from '../../../testing/row-gate.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { type Caller, until } from '../../../testing/test-server.ts'

const trips = listenToRoundTrips()
let story: Story
let crawler: Caller
let tenant: string
beforeAll(async () => {
  story = await startStory()
  crawler = await story.server.caller('agent', 'crawler')
  // The first proposal of a principal is counted by itself (open-orders.ts).
  for (const who of [story.proposer, crawler]) expect((await propose(who)).status).toBe(201)
  tenant = (await story.server.database.sql<{ id: string }>('select tenant_id as id from wm.orders'))[0]!.id
})
afterAll(async () => {
  trips.stop()
  await story.server.stop()
})

const propose = (who: Caller, body: object = {}, key?: string) =>
  who.post('/propose', { type: 'test.echo', payload: { messages: ['hi'] }, ...body }, key === undefined ? {} : { key })
/** Runs `ask` with the statements of proposals held back until all of them wait for one. */
async function together<T>(count: number, ask: () => Promise<T>[]): Promise<T[]> {
  const gate = await closeGate(story.server.database, `select pg_advisory_xact_lock(hashtextextended('wm.pauses|' || $1::text, 0))`, [
    tenant,
  ])
  const waiting = vi.spyOn(story.server.manager.tools, 'proposals')
  try {
    const asked = ask()
    await until(async () => waiting.mock.calls.length >= count, 'they wait')
    await gate.waiting(1)
    await gate.open()
    return await Promise.all(asked)
  } finally {
    waiting.mockRestore()
  }
}

it('one proposal takes two round trips', async () => {
  const heard = await trips.during(async () => expect((await propose(story.proposer)).status).toBe(201))
  expect(heard).toEqual(['kept_answers', 'propose_orders'])
})

it('thirty-two at once take a few, and each has its own order, items, events and answer', async () => {
  let answers: Awaited<ReturnType<typeof propose>>[] = []
  const heard = await trips.during(async () => {
    answers = await together(32, () =>
      Array.from({ length: 32 }, (_, n) =>
        propose(n % 2 ? crawler : story.proposer, { payload: { messages: [`a${n}`, `b${n}`] }, priority: n }, `k${n}`),
      ),
    )
  })
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 32 }, () => 201))
  // Two that went out before the others had come, and one with all of the others.
  expect(heard.filter((name) => name === 'propose_orders').length).toBeLessThanOrEqual(3)
  expect(new Set(heard)).toEqual(new Set(['kept_answers', 'propose_orders']))
  for (const [n, { body, text }] of answers.entries()) {
    expect(body).toMatchObject({
      items_count: 2,
      order: { state: 'queued', priority: n, payload: { messages: [`a${n}`, `b${n}`] }, requested_by_id: n % 2 ? 'crawler' : 'crm' },
    })
    expect(await story.order(body.order.id)).toMatchObject({ items: [{ input: { message: `a${n}` } }, { input: { message: `b${n}` } }] })
    expect(await story.events(body.order.id, 'order.proposed')).toMatchObject([{ payload: { messages: [`a${n}`, `b${n}`] } }])
    expect(await story.events(body.order.id, 'order.planned')).toMatchObject([{ payload: { item_count: 2 } }])
    const again = await propose(n % 2 ? crawler : story.proposer, { payload: { messages: [`a${n}`, `b${n}`] }, priority: n }, `k${n}`)
    expect(again.text).toBe(text)
  }
})

it('an order that came together with others is the same row as one that was written alone', async () => {
  const big = { messages: ['m'], filler: 'x'.repeat(70_000) }
  const [alone, quick] = [await propose(story.proposer, { meta: { a: big.filler } }), await propose(story.proposer, { meta: { a: 'x' } })]
  const rowOf = async (table: string, id: string) =>
    (await story.server.database.sql(`select * from wm.${table} where ${table === 'orders' ? 'id' : 'order_id'} = $1`, [id]))[0]!
  for (const table of ['orders', 'items']) {
    const [one, other] = [await rowOf(table, alone.body.order.id), await rowOf(table, quick.body.order.id)]
    const own = ['id', 'order_id', 'meta', 'correlation_id', 'created_at', 'updated_at', 'last_transitioned_at', 'due_at']
    for (const [name, value] of Object.entries(one))
      if (own.includes(name)) expect(other[name] === null, name).toBe(value === null)
      else expect(other[name], name).toEqual(value)
  }
})

it('what is not clean is told why, and its neighbours are written', async () => {
  const first = await propose(story.proposer, {}, 'known')
  const paused = await story.server.caller('agent', 'paused-one')
  expect((await propose(paused)).status).toBe(201)
  expect((await story.reviewer.post('/pauses', { agent: 'paused-one', reason: 'it floods' })).status).toBe(200)
  const [replayed, other, ofPaused, twin, sameTwin, clean] = await together(4, () => [
    propose(story.proposer, {}, 'known'),
    propose(story.proposer, { priority: 9 }, 'known'),
    propose(paused),
    propose(story.proposer, {}, 'twin'),
    propose(story.proposer, {}, 'twin'),
    propose(crawler),
  ])
  expect([replayed!.status, replayed!.text]).toEqual([201, first.text])
  expect([other!.status, other!.body.code]).toEqual([422, 'idempotency_mismatch'])
  expect([ofPaused!.status, ofPaused!.body.code]).toEqual([409, 'paused'])
  expect(clean!.status).toBe(201)
  // One of the twins is written; the other hears the same answer, or that it is being made.
  const ids = [twin!, sameTwin!].map(({ body }) => body.order?.id ?? body.code)
  expect(new Set(ids.filter((id) => id !== 'idempotency_in_progress')).size).toBe(1)
})

it('a proposal that the database refuses does not take its neighbours with it', async () => {
  await story.server.database.sql(`
    create function wm.refuse_in_test() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;
    create trigger refused_in_test before insert on wm.orders for each row when (new.priority = -777) execute function wm.refuse_in_test()`)
  const answers = await together(7, () => [
    propose(story.proposer, { priority: -777 }),
    ...Array.from({ length: 6 }, () => propose(crawler)),
  ])
  expect(answers.slice(1).map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 201))
  expect([answers[0]!.status, answers[0]!.body.code]).toEqual([500, 'internal'])
})
