/** Heartbeats that Redis answers: which, with what, and that the database hears of each and keeps the last word. */
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isInstalled, startTestRedis, type TestRedis } from '../../testing/redis-server.ts'
import { essay, essayType } from '../../testing/essay-type.ts'
import { holdItem } from '../../testing/row-gate.ts'
import { type Answer, type Caller, createCaller, startTestServer, type TestServer, until } from '../../testing/test-server.ts'
import { nullMetrics } from '../metrics/metrics.ts'
import { openRedis } from '../redis/connection.ts'
import { instantOf, microsOf, ticks } from './database-clock.ts'
import { createRedisLeaseHints } from './redis-lease-hints.ts'

const recordedType = { ...essayType, type: 'test.recorded', recordHeartbeats: true }
const strictType = { ...essayType, type: 'test.strict', requireLeaseToken: true }

/** As the product names it, with the default prefix. */
const dirtyKey = 'work:5:lease,5:dirty'

interface Leased {
  readonly id: string
  readonly order_id: string
  readonly lease_token: string
  readonly lease_expires_at: string
}

describe.skipIf(!(await isInstalled('redis-server')))('with lease.backend = redis', () => {
  let redis: TestRedis
  let here: TestServer
  let there: TestServer
  let plain: TestServer
  let proposer: Caller
  let robin: Caller
  let wren: Caller
  let ada: Caller

  beforeAll(async () => {
    redis = await startTestRedis()
    const types = [essayType, recordedType, strictType]
    const shared = { database: { max_connections: 8 }, redis: { url: redis.url } }
    here = await startTestServer({ types, background: false, config: { ...shared, lease: { backend: 'redis' } } })
    const { database } = here
    there = await startTestServer({ types, background: false, database, config: { ...shared, lease: { backend: 'redis' } } })
    plain = await startTestServer({ types, background: false, database, config: { database: { max_connections: 8 } } })
    proposer = await here.caller('service', 'crm')
    robin = await here.caller('agent', 'robin')
    wren = await here.caller('agent', 'wren')
    ada = await here.caller('person', 'ada')
  })
  afterAll(async () => {
    await plain?.stop()
    await there?.stop()
    await here?.stop()
    await redis.stop()
  })

  const at = (server: TestServer, caller: Caller): Caller => createCaller(server.url, caller.key, caller.id)
  const beat = (caller: Caller, item: Leased, token: string | undefined = item.lease_token): Promise<Answer> =>
    caller.post(`/items/${item.id}/heartbeat`, token === undefined ? {} : { lease_token: token }, { key: null })
  const noteOf = async (item: Leased): Promise<string | undefined> => (await redis.client.keys(`*${item.id}`))[0]
  const rowOf = async (item: Leased) => {
    const [row] = await here.database.sql<{ lease_expires_at: Date; lease_token: string | null; state: string; micros: string }>(
      `select state, lease_token, lease_expires_at, (extract(epoch from lease_expires_at) * 1000000)::bigint as micros from wm.items where id = $1`,
      [item.id],
    )
    return row!
  }
  async function lease(caller: Caller = robin, type = 'test.essay'): Promise<Leased> {
    const { body: proposed } = await proposer.post('/propose', { type, payload: { titles: ['one'] } })
    const { body } = await caller.post(`/orders/${proposed.order.id}/checkout`, {}, { key: null })
    return body.item as Leased
  }
  /** Leased, in progress, and noted. */
  async function begun(caller: Caller = robin, type = 'test.essay'): Promise<Leased> {
    const item = await lease(caller, type)
    expect((await beat(caller, item)).status).toBe(200)
    await until(() => noteOf(item), 'the judged heartbeat is noted')
    return item
  }
  /** Whether a heartbeat is answered while nobody can touch the row. */
  async function answeredWithoutDatabase(caller: Caller, item: Leased, token?: string): Promise<Answer | null> {
    const gate = await holdItem(here.database, item.id)
    const answer = beat(caller, item, token)
    const first = await Promise.race([answer, gate.waiting().then(() => null)])
    await gate.open()
    if (first === null) await answer
    return first
  }

  it('answers the second heartbeat without the database, which then keeps exactly the end that the holder was told', async () => {
    const item = await begun()
    const before = await rowOf(item)
    const gate = await holdItem(here.database, item.id)
    const answer = await beat(robin, item)
    expect(answer.status).toBe(200)
    const told = answer.body.lease_expires_at as string
    expect(microsOf(told)).toBeGreaterThan(Number(before.micros))
    expect(Number((await rowOf(item)).micros)).toBe(Number(before.micros))
    await gate.waiting()
    await gate.open()
    await until(async () => Number((await rowOf(item)).micros) === microsOf(told), 'the heartbeat is written behind')
  })

  it('asks the database about the first heartbeat, which is a fact, and about every one of a type that records each', async () => {
    const item = await lease()
    expect(await answeredWithoutDatabase(robin, item)).toBeNull()
    expect((await rowOf(item)).state).toBe('in_progress')

    const recorded = await lease(robin, 'test.recorded')
    for (let n = 0; n < 3; n++) expect((await beat(robin, recorded)).status).toBe(200)
    expect(await noteOf(recorded)).toBeUndefined()
    const facts = await here.database.sql(`select 1 from wm.events where item_id = $1 and kind in ('item.in_progress', 'item.heartbeat')`, [
      recorded.id,
    ])
    expect(facts).toHaveLength(3)
  })

  it('lets the database refuse whoever is not the holder, in its words', async () => {
    const item = await begun(robin, 'test.strict')
    expect((await beat(wren, item)).body.code).toBe('lease_error')
    expect(
      (
        await beat(
          robin,
          item,
          item.lease_token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
        )
      ).body.code,
    ).toBe('lease_lost')
    expect((await robin.post(`/items/${item.id}/heartbeat`, {}, { key: null })).body.code).toBe('lease_token_required')
    // The holder of the live lease lost nothing by it.
    expect((await answeredWithoutDatabase(robin, item))?.status).toBe(200)
  })

  it('tells the agents of one service apart', async () => {
    const named = (agent: string): Caller => {
      const headers = { 'x-agent-id': agent }
      return { ...proposer, post: (path, body, options) => proposer.post(path, body, { ...options, headers }) }
    }
    const item = await begun(named('crm-1'))
    expect((await answeredWithoutDatabase(named('crm-1'), item))?.status).toBe(200)
    expect((await beat(named('crm-2'), item)).body.code).toBe('lease_error')
  })

  it('takes a claim without token where the type does', async () => {
    const item = await begun()
    const gate = await holdItem(here.database, item.id)
    expect((await robin.post(`/items/${item.id}/heartbeat`, {}, { key: null })).status).toBe(200)
    await gate.open()
  })

  it('absorbs at one process what another one noted', async () => {
    const item = await begun()
    const elsewhere = at(there, robin)
    await beat(elsewhere, item) // tells that process what time the database has
    await beat(elsewhere, await begun(elsewhere))
    expect((await answeredWithoutDatabase(elsewhere, item))?.status).toBe(200)
  })

  it('asks the database when less than half of the time is left of what it has confirmed', async () => {
    const item = await begun()
    const note = (await noteOf(item))!
    const { until: end, ttl } = await redis.client.hGetAll(note)
    await redis.client.hSet(note, 'until', String(Number(end) - Number(ttl) / 2 - 1_000_000))
    expect(await answeredWithoutDatabase(robin, item)).toBeNull()
  })

  const endings: Array<[string, (item: Leased, who: Caller, person: Caller) => Promise<Answer>, string]> = [
    ['release', (item, who) => who.post(`/items/${item.id}/release`, { lease_token: item.lease_token }), 'lease_lost'],
    ['submit', (item, who) => who.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: essay }), 'already_submitted'],
    [
      'fail',
      (item, who) =>
        who.post(`/items/${item.id}/fail`, { lease_token: item.lease_token, class: 'agent', error: { code: 'no', message: 'no' } }),
      'lease_lost',
    ],
    [
      'finalize',
      async (item, who) => {
        await who.post(`/items/${item.id}/parts`, { lease_token: item.lease_token, part_key: 'body', payload: essay.body })
        return who.post(`/items/${item.id}/finalize`, { lease_token: item.lease_token })
      },
      'already_submitted',
    ],
    ['revoke', (item, _who, person) => person.post('/leases/revoke', { order: item.order_id, reason: 'enough' }), 'lease_lost'],
    [
      'a pause of the agent',
      async (_item, _who, person) => {
        await person.post('/pauses', { agent: 'robin', reason: 'enough' }, { key: null })
        return { ...(await person.get('/pauses')), status: 200 }
      },
      'paused',
    ],
    ['cancel', (item, _who, person) => person.post(`/orders/${item.order_id}/cancel`, { reason: 'enough' }), 'lease_lost'],
  ]
  it.each(endings)('after %s the holder hears it at the next heartbeat, at any process', async (_verb, end, code) => {
    const item = await begun()
    await beat(robin, item)
    const answer = await end(item, at(there, robin), at(there, ada))
    expect(answer.status, answer.text).toBeLessThan(300)
    const refused = await beat(robin, item)
    expect(refused.status, refused.text).toBe(409)
    expect(refused.body.code).toBe(code)
    await ada.post('/pauses/lift', { agent: 'robin', reason: 'enough' }, { key: null })
  })

  it('after a lease was reclaimed or extended, the next heartbeat knows', async () => {
    const item = await begun()
    const extended = await at(there, ada).post('/leases/extend', { order: item.order_id, reason: 'long work', ttl_seconds: 80_000 })
    expect(extended.status, extended.text).toBe(200)
    expect(microsOf((await beat(robin, item)).body.lease_expires_at)).toBe(Number((await rowOf(item)).micros))
    await here.database.sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [item.id])
    await there.run('lease-reclaimer')
    expect((await beat(robin, item)).body.code).toBe('lease_lost')
  })

  it('a lease that ended where nobody tells Redis is refused after one round of writing behind, and the next lease is not touched', async () => {
    const item = await begun()
    const released = await at(plain, robin).post(`/items/${item.id}/release`, { lease_token: item.lease_token })
    expect(released.status, released.text).toBe(200)
    const { body } = await at(plain, wren).post(`/orders/${item.order_id}/checkout`, {}, { key: null })
    expect(body.item, JSON.stringify(body)).toBeDefined()
    const next = body.item as Leased
    const before = await rowOf(next)
    const late = await beat(robin, item)
    // Redis did not know: the answer promised what the database then refuses.
    expect(late.status).toBe(200)
    const refused = await until(async () => {
      const answer = await beat(robin, item)
      return answer.status === 200 ? null : answer
    }, 'the former holder hears that the lease is lost')
    expect(refused.body.code).toBe('lease_lost')
    expect(await rowOf(next)).toEqual(before)
    expect((await at(plain, wren).post(`/items/${item.id}/submit`, { lease_token: next.lease_token, result: essay })).status).toBe(202)
  })

  it('what a process claimed and did not write, because it died, another one writes', async () => {
    const item = await begun()
    const gate = await holdItem(here.database, item.id)
    const told = (await beat(robin, item)).body.lease_expires_at as string
    // As after a kill: claimed, and nobody is at work on it.
    await redis.client.zAdd(dirtyKey, { score: Date.now() + 1_500, value: (await noteOf(item))! })
    await gate.open()
    await until(async () => Number((await rowOf(item)).micros) === microsOf(told), 'the heartbeat is written behind all the same')
    await until(async () => (await redis.client.zCard(dirtyKey)) === 0, 'nothing waits any more')
  })

  it('a clock of Redis that was set back keeps no lease alive, and no heartbeat from being written', async () => {
    const item = await begun()
    const note = (await noteOf(item))!
    // What was claimed before lies ten minutes ahead now, and what should have expired is still there.
    await redis.client.persist(note)
    const told = (await beat(robin, item)).body.lease_expires_at as string
    await redis.client.zAdd(dirtyKey, { score: Date.now() + 600_000, value: note })
    await until(async () => Number((await rowOf(item)).micros) === microsOf(told), 'the heartbeat is written')
    const { ttl } = await redis.client.hGetAll(note)
    const past = Number(ttl) * 2
    await redis.client.hSet(note, { until: String(microsOf(told) - past), promised: String(microsOf(told) - past) })
    await here.database.sql(`update wm.items set lease_expires_at = lease_expires_at - make_interval(secs => $2) where id = $1`, [
      item.id,
      past / 1_000_000,
    ])
    expect((await beat(robin, item)).body.code).toBe('lease_expired')
  })

  it('a heartbeat that is written late extends no further than its holder was told', async () => {
    const item = await begun()
    const note = (await noteOf(item))!
    const { until: end } = await redis.client.hGetAll(note)
    const told = Number(end) + 5
    // The holder fell silent, and what it was told long ago has still to be written.
    await redis.client.hSet(note, { promised: String(told), n: '1' })
    await redis.client.zAdd(dirtyKey, { score: 0, value: note })
    await until(async () => Number((await rowOf(item)).micros) !== Number(end), 'the heartbeat is written')
    expect(Number((await rowOf(item)).micros)).toBe(told)
  })

  it('a judgement that was overtaken by the end of the lease leaves no note', async () => {
    const log = pino({ level: 'silent' })
    const connection = await openRedis({ url: redis.url, prefix: 'work:', roles: ['leases'], log })
    const hints = createRedisLeaseHints({ redis: connection, db: here.manager.services.db, log, metrics: nullMetrics })
    const { id: tenantId } = await here.manager.tenants.ensure('acme', 'acme')
    const item = await lease()
    const request = { tenantId, itemId: item.id, token: item.lease_token, agentId: 'robin', principal: 'agent:robin' }
    const expiresAt = item.lease_expires_at
    const decidedAt = instantOf(microsOf(expiresAt) - 600_000_000)
    const verdict = { ...request, request, held: true, requiresToken: false, expiresAt, decidedAt, ttlSeconds: 600, recordsEach: false }
    const sentAt = ticks()
    await hints.changed(tenantId, [item.id])
    hints.judged([verdict], sentAt)
    // In the order in which they were sent: what would have been written is there now.
    await hints.changed(tenantId, ['00000000-0000-7000-8000-000000000001'])
    expect(await noteOf(item)).toBeUndefined()
    hints.judged([verdict], ticks())
    await until(() => noteOf(item), 'a judgement after the change is noted')
    await connection.close()
  })

  it('writes what is left behind when a server stops', async () => {
    const leaving = await startTestServer({
      types: [essayType, recordedType, strictType],
      background: false,
      database: here.database,
      config: { database: { max_connections: 8 }, redis: { url: redis.url, prefix: 'alone:' }, lease: { backend: 'redis' } },
    })
    const who = at(leaving, robin)
    const item = await lease(who)
    await beat(who, item)
    const told = (await beat(who, item)).body.lease_expires_at as string
    await leaving.stop()
    expect(Number((await rowOf(item)).micros)).toBe(microsOf(told))
  })
})
