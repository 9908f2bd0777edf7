/** In which order items are given: earliest due first, which is priority with ageing; and never by a long walk. */
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'
import { hotSession, setForConnection } from '../../kernel/store/session.ts'

const ageing = 60
let story: Story
let tenant: string
beforeAll(async () => {
  story = await startStory({ config: { checkout: { ageing_seconds: ageing } } })
  await story.propose()
  tenant = (await story.server.database.sql<{ id: string }>('select tenant_id as id from wm.orders'))[0]!.id
})
afterAll(() => story.server.stop())
beforeEach(async () => {
  await story.server.database.sql(`update wm.items set state = 'cancelled' where state = 'queued'`)
})

const sql = <Row extends object>(text: string, values: unknown[] = []) => story.server.database.sql<Row>(text, values)
/** As if the order had been proposed so much earlier. */
const proposedAgo = async (seconds: number, priority: number): Promise<string> => {
  const { id } = await story.propose({ messages: ['a'] }, { priority })
  await sql('update wm.items set due_at = due_at - make_interval(secs => $2) where order_id = $1', [id, seconds])
  return id
}
const next = async (body: object = {}): Promise<string | undefined> => {
  const { status, body: answer } = await story.agent.post('/checkout', body, { key: null })
  if (status !== 200) return undefined
  await story.submit(answer.item)
  return answer.item.order_id
}

describe('earliest due first', () => {
  it('among orders of one age: by priority, then by age', async () => {
    const [low, high, middle, negative] = [
      await proposedAgo(0, 0),
      await proposedAgo(0, 100),
      await proposedAgo(0, 50),
      await proposedAgo(0, -5),
    ]
    const later = await proposedAgo(0, 100)
    expect([await next(), await next(), await next(), await next(), await next()]).toEqual([high, later, middle, low, negative])
  })

  it('one point of priority is worth so many seconds of waiting, no more', async () => {
    const waiting = await proposedAgo(10 * ageing + 30, 0)
    const urgent = await proposedAgo(0, 10)
    const moreUrgent = await proposedAgo(0, 11)
    expect([await next(), await next(), await next()]).toEqual([moreUrgent, waiting, urgent])
  })

  it('nothing starves: under a stream of urgent orders that never ends, a low one goes as soon as it has waited for the difference', async () => {
    const low = await proposedAgo(0, 0)
    let aged = 0
    for (let taken = 0; taken < 20; taken++) {
      // The stream: always one urgent order more than is taken. Each step makes everything two minutes older.
      await proposedAgo(0, 10)
      await proposedAgo(0, 10)
      const order = await next()
      if (order === low) {
        expect(aged).toBeGreaterThanOrEqual(10 * ageing - 120)
        expect(aged).toBeLessThanOrEqual(10 * ageing + 120)
        return
      }
      aged += 120
      await sql(`update wm.items set due_at = due_at - interval '2 minutes' where state = 'queued' and order_id = $1`, [low])
    }
    expect.unreachable('the low order starved')
  })

  it('an item that comes back keeps its place', async () => {
    const first = await proposedAgo(60, 0)
    const second = await proposedAgo(0, 0)
    const { item } = (await story.agent.post('/checkout', {}, { key: null })).body
    expect(item.order_id).toBe(first)
    await story.agent.post(`/items/${item.id}/release`, { lease_token: item.lease_token })
    expect([await next(), await next()]).toEqual([first, second])
  })

  it('min_priority skips what is due earlier but less urgent', async () => {
    const old = await proposedAgo(100 * ageing, 3)
    const wanted = await proposedAgo(0, 7)
    expect(await next({ min_priority: 8 })).toBeUndefined()
    expect(await next({ min_priority: 7 })).toBe(wanted)
    expect(await next({ min_priority: 3, type: 'test.echo' })).toBe(old)
  })
})

describe('ids that a hint says are ready', () => {
  interface Leased {
    slot: number
    verdict: string
    item_id: string
    order_id: string
  }
  const lease = (filter: object, slots = 1): Promise<Leased[]> =>
    story.server.manager.tools.db.transaction(tenant, async (tx) => {
      const { default: text } = await import('sql-template-tag')
      const asked = Array.from({ length: slots }, (_, slot) => ({
        slot,
        agent_id: 'a',
        principal: 'agent:a',
        actor_type: 'agent',
        random: 'x',
      }))
      return tx.query<Leased>(
        text`select * from wm.lease_items(${tenant}::uuid, ${JSON.stringify({ epoch: 1, heartbeat_every: 15, ...filter })}::json, ${JSON.stringify(asked)}::json)`,
      )
    })
  const itemOf = async (order: string): Promise<string> =>
    (await sql<{ id: string }>('select id from wm.items where order_id = $1', [order]))[0]!.id

  it('are taken first, even before what is due earlier', async () => {
    await proposedAgo(600, 0)
    const hinted = await itemOf(await proposedAgo(0, 0))
    expect(await lease({ candidates: [hinted] })).toMatchObject([{ verdict: 'leased', item_id: hinted }])
  })

  it('must match the filter and be ready; when none can be had, the due order decides', async () => {
    const due = await itemOf(await proposedAgo(600, 0))
    const other = await itemOf(await proposedAgo(0, 0))
    const [gone] = await sql<{ id: string }>(`select id from wm.items where state = 'cancelled' limit 1`)
    const unknown = '01890a5d-ac96-774b-bcce-b302099a8057'
    expect(await lease({ candidates: [gone!.id, unknown, other], type: 'test.absent' })).toEqual([])
    expect(await lease({ candidates: [other], min_priority: 1 })).toEqual([])
    expect(await lease({ candidates: [gone!.id, unknown] })).toMatchObject([{ verdict: 'leased', item_id: due }])
    expect(await lease({ candidates: [] })).toMatchObject([{ verdict: 'leased', item_id: other }])
  })

  it('cannot pass a limit', async () => {
    const items = [await itemOf(await proposedAgo(0, 0)), await itemOf(await proposedAgo(0, 0))]
    const rows = await lease({ candidates: items, limits: { types: { 'test.echo': 1 } } }, 2)
    expect(rows).toMatchObject([{ verdict: 'limited' }, { verdict: 'limited' }])
    await sql(
      `update wm.items set state = 'queued', lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null where leased`,
    )
    expect(
      (await lease({ candidates: items, limits: { types: { 'test.echo': 1 } } }, 2)).filter((row) => row.verdict === 'leased'),
    ).toHaveLength(1)
  })
})

describe('walks the index', () => {
  it('however many items of a saturated or less urgent kind lie before: a few pages per checkout', async () => {
    const { id } = await story.propose({ messages: ['a'] }, { priority: 5 })
    await sql(
      `insert into wm.items (tenant_id, id, order_id, ordinal, type, order_type, priority, state, max_attempts, lease_ttl_seconds, require_token,
         record_heartbeats, input, due_at, created_at, updated_at)
       select i.tenant_id, gen_random_uuid(), i.order_id, n, i.type, 'test.crowd', 0, 'queued', 3, 60, false, false, '{}', i.due_at - interval '1 day' - n * interval '1 second', now(), now()
         from wm.items i cross join generate_series(1, 20000) n where i.order_id = $1`,
      [id],
    )
    await sql(
      `update wm.items set state = 'leased', lease_token = 't', leased_by_agent_id = 'b', leased_by_principal = 'agent:b', lease_expires_at = now() + interval '1 hour'
        where id = (select id from wm.items where order_type = 'test.crowd' and ready limit 1)`,
    )
    await sql('analyze wm.items')
    const client = new pg.Client({ connectionString: story.server.database.runtimeUrl })
    await client.connect()
    await client.query(setForConnection(hotSession))
    try {
      const pages = async (filter: object): Promise<number> => {
        const slot = [{ slot: 0, agent_id: 'a', principal: 'agent:a', actor_type: 'agent', random: 'x' }]
        await client.query('begin')
        const { rows } = await client.query(
          `explain (analyze, buffers, format json) select * from wm.lease_items('${tenant}', '${JSON.stringify({ epoch: 1, heartbeat_every: 15, ...filter })}', '${JSON.stringify(slot)}')`,
        )
        await client.query('rollback')
        const [{ Plan: plan }] = rows[0]['QUERY PLAN']
        expect(plan['Actual Rows']).toBe(1)
        return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
      }
      // The first call of a session reads the catalog; what a walk over 20,000 items costs is hundreds of pages more.
      await pages({})
      expect(await pages({})).toBeLessThan(250)
      expect(await pages({ type: 'test.echo' })).toBeLessThan(250)
      // 'test.crowd' is saturated: without a list of the other types the walk would go past all of it.
      expect(await pages({ limits: { types: { 'test.crowd': 1 }, type: 5 } })).toBeLessThan(400)
      // Here the walk cannot be spared, but it stays in the index: without the priority in it, it would visit 20,000 rows.
      expect(await pages({ min_priority: 5 })).toBeLessThan(1000)
    } finally {
      await client.end()
    }
  })
})
