/** Hints where ready items are: disjoint, in the order of the database, soon aware of urgent items, harmless when wrong. */
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { essayType } from '../../../testing/essay-type.ts'
import { isInstalled, startTestRedis, type TestRedis } from '../../../testing/peers/redis-server.ts'
import { type Caller, createCaller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import { nullMetrics } from '../../metrics/metrics.ts'
import { openRedis, type RedisConnection } from '../../redis/connection.ts'
import type { Db } from '../../kernel/store/tx.ts'
import { createRedisLeaseHints, type RedisLeaseHints } from './redis-lease-hints.ts'

const gone = [1, 2, 3].map((n) => `00000000-0000-7000-8000-00000000000${n}`)
const otherType = { ...essayType, type: 'test.other' }

describe.skipIf(!(await isInstalled('redis-server')))('with lease.backend = redis', () => {
  let redis: TestRedis
  let here: TestServer
  let plain: TestServer
  let proposer: Caller
  let robin: Caller
  let tenantId: string
  const connections: RedisConnection[] = []

  beforeAll(async () => {
    redis = await startTestRedis()
    const types = [essayType, otherType]
    // With a limit, checkouts are no clean case of a window: their own statement takes what the hints name.
    const config = {
      database: { max_connections: 8 },
      redis: { url: redis.url },
      lease: { backend: 'redis' as const, max_per_tenant: 10_000 },
    }
    here = await startTestServer({ types, background: false, config })
    plain = await startTestServer({ types, background: false, database: here.database, config: { database: { max_connections: 8 } } })
    proposer = await here.caller('service', 'crm')
    robin = await here.caller('agent', 'robin')
    tenantId = (await here.manager.tenants.ensure('acme', 'acme')).id
  })
  afterAll(async () => {
    for (const connection of connections) await connection.close()
    await plain?.stop()
    await here?.stop()
    await redis?.stop()
  })
  beforeEach(async () => {
    await here.database.sql(
      `update wm.items set state = 'cancelled', lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null
        where state in ('queued', 'leased')`,
    )
    await redis.client.flushAll()
  })

  /** The hints of a further process, and how often it asked the database for the head of the queue. */
  async function anotherProcess(): Promise<RedisLeaseHints & { questions(): number }> {
    const log = pino({ level: 'silent' })
    const connection = await openRedis({ url: redis.url, prefix: 'work:', roles: ['leases'], log })
    connections.push(connection)
    let asked = 0
    const { db } = here.manager.tools
    const counting: Db = {
      ...db,
      read: (tenant, work) => {
        asked++
        return db.read(tenant, work)
      },
    }
    return {
      ...createRedisLeaseHints({ redis: connection, db: counting, log, metrics: nullMetrics, secret: 'of the test', freshMs: 60_000 }),
      questions: () => asked,
    }
  }
  async function propose(count: number, more: { type?: string; priority?: number; by?: Caller } = {}): Promise<void> {
    const { by = proposer, type = 'test.essay', priority } = more
    const payload = { titles: Array.from({ length: count }, (_, n) => `essay ${n}`) }
    const { status, text } = await by.post('/propose', { type, payload, ...(priority === undefined ? {} : { priority }) })
    expect(status, text).toBe(201)
  }
  const queue = async (type: string | null = null): Promise<string[]> =>
    (
      await here.database.sql<{ id: string }>(
        `select id from wm.items where state = 'queued' and ($1::text is null or order_type = $1) order by due_at, priority, id`,
        [type],
      )
    ).map(({ id }) => id)
  const checkout = async (caller = robin, filter: object = {}) => (await caller.post('/checkout', filter, { key: null })).body.item

  it('gives concurrent processes disjoint ids in the order of the database, which is asked once', async () => {
    await propose(60, { priority: 5 })
    await propose(60)
    await propose(60, { type: 'test.other' })
    const processes = await Promise.all([anotherProcess(), anotherProcess(), anotherProcess()])
    // Each learns what time the database has, and asks for the head of the queue to do so: what the others took stays out.
    const first: Array<readonly string[] | null> = []
    for (const one of processes) first.push(await one.take(tenantId, null, 4))
    const questions = () => processes.reduce((all, one) => all + one.questions(), 0)
    const before = questions()
    const takes = await Promise.all(Array.from({ length: 30 }, (_, n) => processes[n % 3]!.take(tenantId, null, 4)))
    const given = [...first, ...takes].flatMap((ids) => ids ?? [])
    expect(new Set(given).size).toBe(given.length)
    expect(given).toHaveLength(132)
    expect(new Set(given)).toEqual(new Set((await queue()).slice(0, 132)))
    expect(first.flat()).toEqual((await queue()).slice(0, 12))
    expect(questions()).toBe(before)
    expect(await processes[1].take(tenantId, 'test.other', 60)).toEqual(
      (await queue('test.other')).filter((id) => !given.includes(id)).slice(0, 60),
    )
  })

  it('knows a type from all of them, and nothing of other tenants', async () => {
    await propose(3)
    await propose(2, { type: 'test.other' })
    const { id: other } = await here.manager.tenants.ensure('other', 'other')
    const hints = await anotherProcess()
    expect(await hints.take(other, null, 3)).toBeNull()
    expect(await hints.take(tenantId, 'test.other', 9)).toEqual(await queue('test.other'))
    expect(await hints.take(tenantId, null, 9)).toEqual(await queue('test.essay'))
  })

  it('hands out every item once, to agents of two processes, and in the order of the queue', async () => {
    await propose(40)
    const second = await startTestServer({
      types: [essayType, otherType],
      background: false,
      database: here.database,
      config: { database: { max_connections: 8 }, redis: { url: redis.url }, lease: { backend: 'redis' } },
    })
    try {
      const elsewhere = createCaller(second.url, robin.key, robin.id)
      const all = await Promise.all(Array.from({ length: 40 }, (_, n) => checkout(n % 2 === 0 ? robin : elsewhere)))
      expect(new Set(all.map((item) => item.id)).size).toBe(40)
    } finally {
      await second.stop()
    }
  })

  it('a proposal of this Redis is seen by the next checkout, however full the set is', async () => {
    await propose(20)
    for (let n = 0; n < 3; n++) {
      await checkout()
      await propose(1, { priority: 50 + n })
      const [urgent] = await queue()
      expect((await checkout()).id).toBe(urgent)
    }
  })

  it('a proposal by a process that tells Redis nothing is in front before long', async () => {
    await propose(200)
    await checkout()
    await propose(1, { priority: 99, by: createCaller(plain.url, proposer.key, proposer.id) })
    const [urgent] = await queue()
    await until(async () => (await checkout())?.id === urgent, 'the urgent item is handed out')
    expect((await queue()).length).toBeGreaterThan(0)
  })

  it.each([
    [
      'names items that are gone',
      async (set: string) =>
        void (await redis.client.zAdd(
          set,
          gone.map((value) => ({ score: 0, value })),
        )),
    ],
    ['is no set at all', async (set: string) => void (await redis.client.set(set, 'rubbish'))],
    ['was deleted', async (set: string) => void (await redis.client.del(set))],
    ['was flushed with everything', async () => void (await redis.client.flushAll())],
  ])('a set that %s costs nobody an item', async (_what, spoil) => {
    await propose(200)
    const set = await until(async () => {
      await checkout()
      return (await redis.client.keys('work:5:ready,*'))[0]
    }, 'a set is there')
    const order = await queue()
    await spoil(set)
    expect((await checkout()).id).toBe(order[0])
    const next = await Promise.all(Array.from({ length: 20 }, () => checkout()))
    expect(new Set(next.map((item) => item.id))).toEqual(new Set(order.slice(1, 21)))
  })
  it.each([
    [
      'no ids',
      async (key: string) =>
        redis.client.zAdd(
          key,
          ['garbage', '', "'; drop table", '0'].map((value) => ({ score: 0, value })),
        ),
    ],
    ['no set', async (key: string) => redis.client.set(key, 'garbage')],
  ])('checks out all the same when Redis holds %s', async (_, poison) => {
    const proposed = await proposer.post('/propose', { type: 'test.essay', payload: { titles: ['one', 'two'] } })
    // Takes one, and fills the set.
    expect((await robin.post('/checkout', {})).status).toBe(200)
    for (const key of await redis.client.keys('*:ready:*')) {
      await redis.client.del(key)
      await poison(key)
    }
    const answer = await robin.post('/checkout', {})
    expect(answer.status, answer.text).toBe(200)
    expect(answer.body.item.order_id).toBe(proposed.body.order.id)
  })

  it('asks the database alone for an order, for a least priority, and while Redis is away', async () => {
    await propose(3, { priority: 5 })
    await propose(1, { priority: 9 })
    const order = await queue()
    expect((await checkout(robin, { min_priority: 9 })).id).toBe(order[0])
    await redis.kill()
    expect((await checkout()).id).toBe(order[1])
    const ready = await fetch(`${here.url}/readyz`)
    expect(ready.status).toBe(200)
    expect(await ready.text()).toContain('degraded: Redis does not answer')
    await redis.start()
    await until(async () => (await here.manager.doctor()).find(({ check }) => check === 'redis')?.ok, 'Redis is back')
    expect((await checkout()).id).toBe(order[2])
  })
})
