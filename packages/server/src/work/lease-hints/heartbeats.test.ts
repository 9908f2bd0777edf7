/** Heartbeats that Redis answers: which, with what, and that it answers none any more for a lease that has ended. */
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { essay } from '../../../testing/essay-type.ts'
import { at, type HintedLeases, type Leased, stageHintedLeases } from '../../../testing/hinted-leases.ts'
import { isInstalled } from '../../../testing/peers/redis-server.ts'
import { holdItem } from '../../../testing/row-gate.ts'
import { type Answer, type Caller, until } from '../../../testing/test-server.ts'
import { nullMetrics } from '../../metrics/metrics.ts'
import { openRedis } from '../../redis/connection.ts'
import { instantOf, microsOf, ticks } from './database-clock.ts'
import { createRedisLeaseHints } from './redis-lease-hints.ts'

describe.skipIf(!(await isInstalled('redis-server')))('with lease.backend = redis', () => {
  let stage: HintedLeases
  beforeAll(async () => {
    stage = await stageHintedLeases()
  })
  afterAll(() => stage?.stop())

  it('answers the second heartbeat without the database, which then keeps exactly the end that the holder was told', async () => {
    const { here, robin, beat, rowOf, begun } = stage
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

  it('asks the database about the first heartbeat, which is an event, and about every one of a type that records each', async () => {
    const { here, robin, beat, noteOf, rowOf, lease, answeredWithoutDatabase } = stage
    const item = await lease()
    expect(await answeredWithoutDatabase(robin, item)).toBeNull()
    expect((await rowOf(item)).state).toBe('in_progress')

    const recorded = await lease(robin, 'test.recorded')
    for (let n = 0; n < 3; n++) expect((await beat(robin, recorded)).status).toBe(200)
    expect(await noteOf(recorded)).toBeUndefined()
    const events = await here.database.sql(`select 1 from record where item_id = $1 and kind in ('item.in_progress', 'item.heartbeat')`, [
      recorded.id,
    ])
    expect(events).toHaveLength(3)
  })

  it('lets the database refuse whoever is not the holder, in its words', async () => {
    const { robin, wren, beat, begun, answeredWithoutDatabase } = stage
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
    const { proposer, beat, begun, answeredWithoutDatabase } = stage
    const named = (agent: string): Caller => {
      const headers = { 'x-agent-id': agent }
      return { ...proposer, post: (path, body, options) => proposer.post(path, body, { ...options, headers }) }
    }
    const item = await begun(named('crm-1'))
    expect((await answeredWithoutDatabase(named('crm-1'), item))?.status).toBe(200)
    expect((await beat(named('crm-2'), item)).body.code).toBe('lease_error')
  })

  it('takes a claim without token where the type does', async () => {
    const { here, robin, begun } = stage
    const item = await begun(robin, 'test.lax')
    const gate = await holdItem(here.database, item.id)
    expect((await robin.post(`/items/${item.id}/heartbeat`, {}, { key: null })).status).toBe(200)
    await gate.open()
  })

  it('absorbs at one process what another one noted', async () => {
    const { there, robin, beat, begun, answeredWithoutDatabase } = stage
    const item = await begun()
    const elsewhere = at(there, robin)
    await beat(elsewhere, item) // tells that process what time the database has
    await beat(elsewhere, await begun(elsewhere))
    expect((await answeredWithoutDatabase(elsewhere, item))?.status).toBe(200)
  })

  it.each<[string, (note: Record<string, string>, item: Leased) => Record<string, string>]>([
    ['another end', (note) => ({ ...note, until: '9999999999999999', promised: '9999999999999999' })],
    ['another holder', (note) => ({ ...note, agent: 'wren', principal: 'agent:wren' })],
    ['no numbers', (note) => ({ ...note, ttl: 'long', until: 'never', promised: 'always' })],
    ['no signature', (note) => Object.fromEntries(Object.entries(note).filter(([name]) => name !== 'sig'))],
    ['the signature of another note', (note) => ({ ...note, sig: 'A'.repeat(note.sig!.length) })],
  ])('does not believe a note that somebody else wrote: %s', async (what, poison) => {
    const { redis, robin, wren, beat, noteOf, begun, rowOf } = stage
    const item = await begun()
    const key = (await noteOf(item))!
    const note = poison({ ...(await redis.client.hGetAll(key)) }, item)
    await redis.client.del(key)
    await redis.client.hSet(key, note)
    const answer = await beat(what === 'another holder' ? wren : robin, item)
    if (what === 'another holder') expect(answer.body.code).toBe('lease_error')
    else expect(microsOf(answer.body.lease_expires_at)).toBe(Number((await rowOf(item)).micros))
  })

  it('promises no more than a lease from now, whatever a note says was promised', async () => {
    const { redis, robin, beat, noteOf, begun, rowOf } = stage
    const item = await begun()
    await redis.client.hSet((await noteOf(item))!, 'promised', '9999999999999999')
    const { ttl } = await redis.client.hGetAll((await noteOf(item))!)
    const answer = await beat(robin, item)
    expect(answer.status).toBe(200)
    expect(microsOf(answer.body.lease_expires_at) - Number((await rowOf(item)).micros)).toBeLessThanOrEqual(Number(ttl))
  })

  it('asks the database when less than half of the time is left of what it has confirmed', async () => {
    const { redis, robin, noteOf, begun, answeredWithoutDatabase } = stage
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
    const { there, robin, ada, beat, begun } = stage
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
    const { here, there, robin, ada, beat, rowOf, begun } = stage
    const item = await begun()
    const extended = await at(there, ada).post('/leases/extend', { order: item.order_id, reason: 'long work', ttl_seconds: 80_000 })
    expect(extended.status, extended.text).toBe(200)
    expect(microsOf((await beat(robin, item)).body.lease_expires_at)).toBe(Number((await rowOf(item)).micros))
    await here.database.sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [item.id])
    await there.run('lease-reclaimer')
    expect((await beat(robin, item)).body.code).toBe('lease_lost')
  })

  it('a judgement that was overtaken by the end of the lease leaves no note', async () => {
    const { redis, here, noteOf, lease } = stage
    const log = pino({ level: 'silent' })
    const connection = await openRedis({ url: redis.url, prefix: 'work:', roles: ['leases'], log })
    const hints = createRedisLeaseHints({ redis: connection, db: here.manager.tools.db, log, metrics: nullMetrics, secret: 'of the test' })
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
})
