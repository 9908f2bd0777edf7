/**
 * What a checkout may take from, when types have limits: as few types as it needs, however many there are, and those that a saturated type
 * at the head of the queue, a priority or a held order would hide.
 */
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'
import { hotSession, setForConnection } from '../../kernel/store/session.ts'

let story: Story
let tenant: string
let order: string
beforeAll(async () => {
  story = await startStory()
  order = (await story.propose()).id
  tenant = (await story.server.database.sql<{ id: string }>('select tenant_id as id from wm.orders'))[0]!.id
})
afterAll(() => story.server.stop())
beforeEach(() => story.server.database.sql(`update wm.items set state = 'cancelled' where state = 'queued'`))

let ordinal = 1000
/** Ready items of the story's order, each kind due after the one before it. */
async function ready(...kinds: Array<{ type: (n: number) => string; items: number; priority?: number }>): Promise<void> {
  for (const { type, items, priority = 0 } of kinds) {
    const types = Array.from({ length: items }, (_, n) => type(n))
    await story.server.database.sql(
      `insert into wm.items (tenant_id, id, order_id, ordinal, type, order_type, priority, state, max_attempts, lease_ttl_seconds,
         require_token, record_heartbeats, input, due_at, created_at, updated_at)
       select $1, gen_random_uuid(), $2, $3 + n, 'item', t, $4, 'queued', 3, 60, false, false, '{}', now() + ($3 + n) * interval '1 second', now(), now()
         from unnest($5::text[]) with ordinality as u(t, n)`,
      [tenant, order, ordinal, priority, types],
    )
    ordinal += items
  }
}

interface Asked {
  readonly max?: number
  readonly own?: Record<string, number>
  readonly held?: Record<string, number>
  readonly paused?: string[]
  readonly min?: number
  readonly wanted?: number | null
  readonly busy?: string[]
}
async function room({ max, own, held, paused, min = -32768, wanted = 4, busy }: Asked): Promise<Record<string, number>> {
  const rows = await story.server.database.sql<{ type: string; room: number }>(
    'select type, room from wm.room_by_type($1, null, $2, $3, $4, $5, $6, $7, $8)',
    [tenant, max, own && JSON.stringify(own), held && JSON.stringify(held), paused, min, wanted, busy],
  )
  return Object.fromEntries(rows.map((row) => [row.type, row.room]))
}
const kind = (name: string) => () => name
const numbered = (n: number): string => `many.kind-${n}`

it('no more types than it wants items, in the order in which they are due', async () => {
  await ready({ type: numbered, items: 300 })
  expect(await room({ max: 5 })).toEqual({ 'many.kind-0': 5, 'many.kind-1': 5, 'many.kind-2': 5, 'many.kind-3': 5 })
})

it('past a full type, and past what a type has no more room for', async () => {
  await ready({ type: kind('a.full'), items: 20 }, { type: kind('b.narrow'), items: 20 }, { type: numbered, items: 300 })
  expect(await room({ max: 5, held: { 'a.full': 5, 'b.narrow': 3 } })).toEqual({
    'a.full': 0,
    'b.narrow': 2,
    'many.kind-0': 5,
    'many.kind-1': 5,
  })
  expect(await room({ max: 5, own: { 'a.full': 9 }, held: { 'a.full': 5 }, paused: ['b.narrow'] })).toEqual({ 'a.full': 4 })
  expect(await room({ max: 5, own: { 'a.full': 7 }, held: { 'a.full': 5 }, paused: ['b.narrow'] })).toEqual({
    'a.full': 2,
    'many.kind-0': 5,
    'many.kind-1': 5,
  })
})

it.each([
  ['a full type', { held: { 'a.crowd': 5 } }],
  ['a paused type', { paused: ['a.crowd'] }],
])('%s that holds the head of the queue, further than anybody walks, hides nobody', async (_, asked) => {
  await ready({ type: kind('a.crowd'), items: 1200 }, { type: (n) => numbered(40 - n), items: 40 })
  const { 'a.crowd': crowd = 0, ...others } = await room({ max: 5, ...asked })
  expect(crowd).toBe(0)
  // Those whose first item is due soonest, not those whose name comes first.
  expect(others).toEqual({ 'many.kind-40': 5, 'many.kind-39': 5, 'many.kind-38': 5, 'many.kind-37': 5 })
})

it('what is not urgent enough hides nobody', async () => {
  await ready({ type: kind('a.low'), items: 1200 }, { type: kind('b.urgent'), items: 1, priority: 5 })
  expect(await room({ max: 5, min: 5 })).toEqual({ 'b.urgent': 5 })
})

it('types whose items lie in a held order are left out while others are near, and hide nobody that is far', async () => {
  const other = (await story.propose()).id
  await ready({ type: numbered, items: 10 })
  expect(await room({ max: 5, busy: [order] })).toEqual({ 'test.echo': 5 })
  await ready({ type: (n) => numbered(n), items: 1200 })
  await story.server.database.sql(`update wm.items set due_at = now() + interval '1 day' where order_id = $1`, [other])
  expect(await room({ max: 5, busy: [order] })).toMatchObject({ 'test.echo': 5 })
})

it('when all are full, one of them is named', async () => {
  await ready({ type: kind('a.full'), items: 1200 }, { type: kind('b.full'), items: 3 })
  expect(await room({ max: 1, held: { 'a.full': 1, 'b.full': 1 } })).toEqual({ 'a.full': 0 })
})

it('without a number it names them all, as the version before this one asked', async () => {
  await ready({ type: numbered, items: 30 })
  expect(Object.keys(await room({ max: 5, wanted: null }))).toHaveLength(30)
})

it('a checkout reads as much with 1,000 types under limits as with one', async () => {
  const client = new pg.Client({ connectionString: story.server.database.runtimeUrl })
  await client.connect()
  await client.query(setForConnection(hotSession))
  const pages = async (): Promise<number> => {
    const slots = Array.from({ length: 8 }, (__, slot) => ({ slot, agent_id: 'a', principal: 'agent:a', actor_type: 'agent', random: 'x' }))
    const filter = { epoch: 1, heartbeat_every: 15, limits: { type: 50 } }
    await client.query('begin')
    const { rows } = await client.query(
      `explain (analyze, buffers, format json) select * from wm.lease_items('${tenant}', '${JSON.stringify(filter)}', '${JSON.stringify(slots)}')`,
    )
    await client.query('rollback')
    const [{ Plan: plan }] = rows[0]['QUERY PLAN']
    expect(plan['Actual Rows']).toBe(8)
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
  }
  try {
    await ready({ type: kind('one.kind'), items: 5000 })
    await story.server.database.sql('analyze wm.items')
    await pages()
    const one = await pages()
    await story.server.database.sql(`update wm.items set state = 'cancelled' where state = 'queued'`)
    await ready({ type: (n) => numbered(n % 1000), items: 5000 })
    await story.server.database.sql('vacuum analyze wm.items')
    // One look per type would be thousands of pages; eight types instead of one are some dozens.
    expect(await pages()).toBeLessThan(one + 300)
  } finally {
    await client.end()
  }
})
