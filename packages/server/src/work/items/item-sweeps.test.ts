/** The services that move items on: lease reclaimer, retry scheduler, dead-letterer; alone, against agents, and in two processes at once. */
import pg from 'pg'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import { type Leased, startStory, type Story } from '../../../testing/story.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'

const lenient = defineOrderType({
  type: 'test.lenient',
  payload: Type.Object({ messages: Type.Array(Type.String()) }),
  input: Type.Object({ message: Type.String() }),
  result: Type.Object({ echoed: Type.String(), ok: Type.Boolean() }),
  plan: ({ payload }) => payload.messages.map((message) => ({ input: { message } })),
  apply: (context) => context.diff({}, { echoed: context.items.map((item) => item.result.echoed) }),
  onItemFailure: 'proceed',
})

let story: Story
let second: TestServer
beforeAll(async () => {
  story = await startStory({ types: [lenient] })
  second = await startTestServer({ types: [lenient], background: false, database: story.server.database })
})
afterAll(async () => {
  await second.stop()
  await story.server.stop()
})

const sql = (text: string, values?: unknown[]) => story.server.database.sql<any>(text, values)
const expire = (...items: Leased[]) =>
  sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where id = any($1)`, [items.map((item) => item.id)])
const failForGood = (item: Leased) =>
  story.agent.post(`/items/${item.id}/fail`, {
    lease_token: item.lease_token,
    class: 'permanent',
    error: { code: 'gone', message: 'Gone.' },
  })
const both = async (service: string) =>
  (await Promise.all([story.server.run(service), second.run(service), story.server.run(service), second.run(service)])).reduce(
    (sum, n) => sum + n,
    0,
  )
/** Holds what `select` locks until `release`. */
async function hold(select: string, values: unknown[]) {
  const client = new pg.Client({ connectionString: story.server.database.adminUrl })
  await client.connect()
  await client.query('begin')
  await client.query(select, values)
  return async () => {
    await client.query('commit')
    await client.end()
  }
}

describe('the lease reclaimer', () => {
  it('gives each expired item back once, whatever the number of processes', async () => {
    const order = await story.propose({ messages: ['a', 'b', 'c', 'd'] })
    const items = await Promise.all([1, 2, 3, 4].map(() => story.take(order.id)))
    await expire(...items.slice(0, 3))
    await both('lease-reclaimer')
    await both('lease-reclaimer')
    const events = await story.events(order.id, 'item.lease_expired')
    expect(events).toHaveLength(3)
    expect(events[0]!.payload).toMatchObject({ agent_id: 'agent-1', attempts: 1, generation: 1 })
    expect((await story.order(order.id)).items.map((item: any) => item.state).sort()).toEqual(['leased', 'queued', 'queued', 'queued'])
    await expire(items[3]!)
    await both('lease-reclaimer')
    expect(await story.order(order.id)).toMatchObject({ state: 'queued' })
    expect((await story.kinds(order.id)).filter((kind) => kind === 'order.requeued')).toHaveLength(1)
  })

  it('leaves the lease to a heartbeat that came first', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    // The reclaimer finds the lease expired and then has to wait for the item; meanwhile a heartbeat (here: the row's holder) extends it.
    await expire(item)
    const client = new pg.Client({ connectionString: story.server.database.adminUrl })
    await client.connect()
    await client.query('begin')
    await client.query(`update wm.items set lease_expires_at = clock_timestamp() + interval '1 minute' where id = $1`, [item.id])
    const reclaiming = story.server.run('lease-reclaimer')
    await until(
      async () => (await sql(`select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`)).length > 0,
      'the reclaimer waits for the item',
    )
    await client.query('commit')
    await client.end()
    expect(await reclaiming).toBe(0)
    expect((await story.agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token })).status).toBe(200)
    expect(await story.events(order.id, 'item.lease_expired')).toEqual([])
  })

  it('is not stopped by an order that somebody holds', async () => {
    const [held, free] = [await story.propose(), await story.propose()]
    const [first, next] = [await story.take(held.id), await story.take(free.id)]
    await sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 hour' where id = $1`, [first.id])
    await expire(next)
    const release = await hold(`select 1 from wm.orders where id = $1 for update`, [held.id])
    expect(await story.server.run('lease-reclaimer')).toBe(1)
    expect((await story.order(free.id)).state).toBe('queued')
    await release()
    expect(await story.server.run('lease-reclaimer')).toBe(1)
  })

  it('sets an item aside whose attempts are used up, and the dead-letterer files it with every expiry', async () => {
    const order = await story.propose()
    for (let attempt = 1; attempt <= 3; attempt++) {
      // Each by another one: the same agent would be kept from it after the second time.
      const item = await story.take(order.id, await story.server.caller('agent', `silent-${attempt}`))
      expect(item.attempt).toBe(attempt)
      await expire(item)
      await story.server.run('lease-reclaimer')
    }
    expect((await story.order(order.id)).items[0]).toMatchObject({ state: 'failed', attempts: 3, error: { code: 'max_attempts_exceeded' } })
    expect(await story.server.run('retry-scheduler')).toBe(0)
    await story.server.run('dead-letterer')
    const [event] = await story.events(order.id, 'item.dead_lettered')
    expect(event!.payload.case_file.map((one: any) => one.kind)).toEqual([
      'item.lease_expired',
      'item.lease_expired',
      'item.lease_expired',
      'item.failed',
    ])
  })

  it('never touches what was handed in', async () => {
    const order = await story.propose()
    await story.fill(order.id)
    await story.server.run('lease-reclaimer')
    expect((await story.order(order.id)).state).toBe('submitted')
  })
})

describe('the retry scheduler', () => {
  it('brings each due item back once, whatever the number of processes, and no item of a closed order', async () => {
    const [open, closed] = [await story.propose({ messages: ['a', 'b'] }), await story.propose()]
    for (const id of [open.id, open.id, closed.id]) {
      const item = await story.take(id)
      await story.agent.post(`/items/${item.id}/fail`, {
        lease_token: item.lease_token,
        class: 'transient',
        error: { code: 'x', message: 'x' },
        retry_after: 100,
      })
    }
    await story.proposer.post(`/orders/${closed.id}/cancel`, { reason: 'x' })
    await sql(`update wm.items set available_at = clock_timestamp() where state = 'failed' and available_at is not null`)
    await both('retry-scheduler')
    await both('retry-scheduler')
    expect(await story.events(open.id, 'item.retried')).toHaveLength(2)
    expect(await story.events(closed.id, 'item.retried')).toHaveLength(0)
    expect((await story.order(open.id)).items.map((item: any) => item.state)).toEqual(['queued', 'queued'])
  })
})

describe('the dead-letterer', () => {
  it('fails the order of a failed item by default: leases end, siblings are filed, what was handed in stays', async () => {
    const order = await story.propose({ messages: ['a', 'b', 'c', 'd'] })
    await story.submit(await story.take(order.id))
    const [bad, held] = [await story.take(order.id), await story.take(order.id)]
    await failForGood(bad)
    await both('dead-letterer')
    const after = await story.order(order.id)
    expect(after).toMatchObject({ state: 'dead_lettered', items_submitted: 1 })
    expect(after.items.map((item: any) => item.state)).toEqual(['submitted', 'dead_lettered', 'dead_lettered', 'dead_lettered'])
    const late = await story.agent.post(`/items/${held.id}/heartbeat`, { lease_token: held.lease_token })
    expect([late.status, late.body.code]).toEqual([409, 'lease_lost'])
    const kinds = await story.kinds(order.id)
    for (const [kind, n] of [
      ['item.failed', 3],
      ['item.dead_lettered', 3],
      ['order.failed', 1],
      ['order.dead_lettered', 1],
    ] as const)
      expect(
        kinds.filter((one) => one === kind),
        kind,
      ).toHaveLength(n)

    expect((await story.reviewer.post(`/orders/${order.id}/requeue`, { reason: 'the site is back' })).status).toBe(200)
    await story.fill(order.id)
    expect(await story.order(order.id)).toMatchObject({ state: 'submitted', items_submitted: 4 })
    expect((await story.approve(order.id)).body.diff.after.messages).toEqual(['a', 'b', 'c', 'd'])
  })

  it('goes on without the item where the type says so, and applies what is there', async () => {
    const order = await story.propose({ messages: ['a', 'b', 'c'] }, { type: 'test.lenient' })
    await failForGood(await story.take(order.id))
    await both('dead-letterer')
    expect((await story.order(order.id)).items.map((item: any) => item.state)).toEqual(['dead_lettered', 'queued', 'queued'])
    await story.fill(order.id)
    expect(await story.order(order.id)).toMatchObject({ state: 'submitted', items_submitted: 2 })
    const approved = await story.approve(order.id)
    expect(approved.body.diff.after).toEqual({ echoed: ['b', 'c'] })
    expect((await story.order(order.id)).items.map((item: any) => item.state)).toEqual(['dead_lettered', 'completed', 'completed'])
  })

  it('fills the order when the last open item is set aside', async () => {
    const order = await story.propose({ messages: ['a', 'b'] }, { type: 'test.lenient' })
    await story.submit(await story.take(order.id))
    await failForGood(await story.take(order.id))
    await both('dead-letterer')
    expect((await story.order(order.id)).state).toBe('submitted')
    expect(await story.events(order.id, 'order.submitted')).toHaveLength(1)
  })

  it('of a lenient order files the order when nothing is left; an item brought back brings the order back, and it can end', async () => {
    const order = await story.propose({ messages: ['a', 'b'] }, { type: 'test.lenient' })
    await failForGood(await story.take(order.id))
    await failForGood(await story.take(order.id))
    await both('dead-letterer')
    expect((await story.order(order.id)).state).toBe('dead_lettered')
    const [first] = (await story.order(order.id)).items
    expect((await story.reviewer.post(`/items/${first.id}/requeue`, { reason: 'this one' })).status).toBe(200)
    expect((await story.order(order.id)).state).toBe('queued')
    await story.fill(order.id)
    expect((await story.order(order.id)).state).toBe('submitted')
    expect((await story.approve(order.id)).status).toBe(200)
  })

  it('of an order fails it at once, and is filed with it when it has rested as long as the settings say', async () => {
    const patient = await startTestServer({
      background: false,
      database: story.server.database,
      config: { maintenance: { dead_letter_after_hours: 48 } },
    })
    try {
      const order = await story.propose({ messages: ['a', 'b', 'c'] })
      const [item, second, third] = [await story.take(order.id), await story.take(order.id), await story.take(order.id)]
      await failForGood(item)
      await failForGood(second)
      expect(await patient.run('dead-letterer')).toBe(1)
      expect((await story.order(order.id)).state).toBe('failed')
      expect((await story.order(order.id)).items.map((one: { state: string }) => one.state)).toEqual(['failed', 'failed', 'failed'])
      expect((await story.submit(third)).body.code).toBe('lease_lost')
      expect(await patient.run('dead-letterer')).toBe(0)
      expect((await story.order(order.id)).state).toBe('failed')
      await sql(`update wm.items set updated_at = clock_timestamp() - interval '49 hours' where id = $1`, [item.id])
      expect(await patient.run('dead-letterer')).toBe(1)
      expect((await story.order(order.id)).state).toBe('dead_lettered')
      expect((await story.order(order.id)).items.map((one: { state: string }) => one.state)).toEqual(Array(3).fill('dead_lettered'))
      expect((await story.kinds(order.id)).filter((kind) => /^order\.(failed|dead_lettered)$/.test(kind))).toEqual([
        'order.failed',
        'order.dead_lettered',
      ])
    } finally {
      await patient.stop()
    }
  })
})
