/** Whoever changed something finds it on the record at once, with its number, though nobody runs the sequencer. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Caller, createCaller, startTestServer, type TestServer } from '../../testing/test-server.ts'
import { echoType } from '../../testing/echo-type.ts'

let one: TestServer
let two: TestServer
let agent: Caller
let elsewhere: Caller
beforeAll(async () => {
  one = await startTestServer({ types: [echoType], background: false })
  two = await startTestServer({ types: [echoType], background: false, database: one.database })
  agent = await one.caller('agent', 'agent-1')
  elsewhere = createCaller(two.url, agent.key, 'agent-1')
})
afterAll(async () => {
  await two.stop()
  await one.stop()
})

interface Event {
  readonly seq: number
  readonly kind: string
}
const propose = async (caller = agent): Promise<string> =>
  (await caller.post('/propose', { type: 'test.echo', payload: { messages: ['x'] } })).body.order.id as string
const kinds = (events: Event[]) => events.map(({ kind }) => kind)

it('every reader of events sees the change that was just made, at any process', async () => {
  const order = await propose()
  const readers: Record<string, (caller: Caller) => Promise<Event[]>> = {
    log: async (caller) => (await caller.get(`/orders/${order}/logs`)).body.events,
    timeline: async (caller) => (await caller.get(`/orders/${order}/timeline`)).body.events.toReversed(),
    search: async (caller) => (await caller.get('/events?limit=3')).body.events,
    order: async (caller) => (await caller.get(`/orders/${order}`)).body.order.events,
    list: async (caller) => (await caller.get(`/orders?filter[id]=${order}&include=events`)).body.data[0].events,
    export: async (caller) =>
      (await caller.get('/ledger?limit=1000')).body.entries
        .map(({ event, ...entry }: { event: object }) => ({ ...entry, ...event }))
        .toReversed(),
  }
  for (const [name, read] of Object.entries(readers))
    for (const caller of [agent, elsewhere]) {
      const { item } = (await agent.post(`/orders/${order}/checkout`, {}, { key: null })).body
      const leased = await read(caller)
      expect(leased[0]!.kind, name).toMatch(/^(item\.leased|order\.checked_out)$/)
      expect((await agent.post(`/items/${item.id}/release`, { lease_token: item.lease_token })).status).toBe(200)
      const released = await read(caller)
      expect(kinds(released).slice(0, 3), name).toContain('item.released')
      for (const { seq } of released) expect(seq).toBeGreaterThan(0)
      await one.database.sql('update wm.items set attempts = 0, dropped_by = null where order_id = $1', [order])
    }
  expect((await agent.get(`/orders?filter[id]=${order}&include=eventsCount`)).body.data[0].events_count).toBeGreaterThan(30)
})

it('many who write and read at once each find their own', async () => {
  await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const caller = n % 2 === 0 ? agent : elsewhere
      const order = await propose(caller)
      const { events } = (await caller.get(`/orders/${order}/logs`)).body
      expect(kinds(events)).toEqual(['order.planned', 'order.proposed'])
    }),
  )
  const seqs = (await one.database.sql<{ seq: number }>('select seq::int as seq from wm.events order by seq')).map(({ seq }) => seq)
  expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, n) => n + 1))
})

it('a record that cannot be completed is refused, not shown with a gap', async () => {
  await one.database.sql(
    `create function public.poison() returns trigger language plpgsql as $$ begin raise exception 'poisoned'; end $$;
     create trigger poison before insert on wm.events for each row execute function public.poison()`,
  )
  try {
    const order = await propose()
    const refused = await agent.get(`/orders/${order}/logs`)
    expect([refused.status, refused.body.code]).toEqual([503, 'record_behind'])
    expect(refused.headers.get('retry-after')).toBe('2')
    expect((await agent.get('/status')).status, 'what reads no events goes on').toBe(200)
  } finally {
    await one.database.sql('drop trigger poison on wm.events; drop function public.poison()')
  }
})

it('an order is shown though its newest events cannot be numbered, and says so; its log is refused as behind', async () => {
  const order = await propose()
  expect((await agent.get(`/orders/${order}`)).body.order.events_behind).toBeUndefined()
  await one.database.sql(`create function public.poison() returns trigger language plpgsql as $$ begin raise exception 'poisoned'; end $$`)
  await one.database.sql('create trigger poison before insert on wm.events for each row execute function public.poison()')
  try {
    expect((await agent.post(`/orders/${order}/checkout`, {}, { key: null })).status).toBe(200)
    const shown = await agent.get(`/orders/${order}`)
    expect(shown.status, shown.text).toBe(200)
    expect(shown.body.order.state).toBe('checked_out')
    expect(shown.body.order.events_behind).toBe(true)
    expect(kinds(shown.body.order.events)).not.toContain('order.checked_out')
    const log = await agent.get(`/orders/${order}/logs`)
    expect([log.status, log.body.code]).toEqual([503, 'record_behind'])
  } finally {
    await one.database.sql('drop trigger poison on wm.events; drop function public.poison()')
  }
  expect(kinds((await agent.get(`/orders/${order}/logs`)).body.events)).toContain('order.checked_out')
})
