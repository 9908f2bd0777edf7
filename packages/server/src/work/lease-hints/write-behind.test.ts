/** The database hears of each heartbeat that Redis answered, whoever died meanwhile, and keeps the last word. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { essay } from '../../../testing/essay-type.ts'
import { at, hintedTypes, type HintedLeases, type Leased, stageHintedLeases } from '../../../testing/hinted-leases.ts'
import { isInstalled } from '../../../testing/peers/redis-server.ts'
import { holdItem } from '../../../testing/row-gate.ts'
import { startTestServer, until } from '../../../testing/test-server.ts'
import { microsOf } from './database-clock.ts'

/** As the product names it, with the default prefix. */
const dirtyKey = 'work:5:lease,5:dirty'

describe.skipIf(!(await isInstalled('redis-server')))('with lease.backend = redis', () => {
  let stage: HintedLeases
  beforeAll(async () => {
    stage = await stageHintedLeases()
  })
  afterAll(() => stage?.stop())

  it('a lease that ended where nobody tells Redis is refused after one round of writing behind, and the next lease is not touched', async () => {
    const { plain, robin, wren, beat, rowOf, begun } = stage
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
    const { redis, here, robin, beat, noteOf, rowOf, begun } = stage
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
    const { redis, here, robin, beat, noteOf, rowOf, begun } = stage
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
    const { redis, noteOf, rowOf, begun } = stage
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

  it('writes what is left behind when a server stops', async () => {
    const { redis, here, robin, beat, rowOf, lease } = stage
    const leaving = await startTestServer({
      types: hintedTypes,
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
