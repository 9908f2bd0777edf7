/** A person ends, extends and reclaims leases of agents: what moves, what stands on the record, who may not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expireLease, holdItem } from '../../../testing/row-gate.ts'
import { type Leased, startStory, type Story } from '../../../testing/story.ts'

let story: Story
beforeAll(async () => {
  story = await startStory()
})
afterAll(() => story.server.stop())

const leaseOf = async (item: Leased) =>
  (
    await story.server.database.sql<{ state: string; lease_token: string | null; seconds: number | null }>(
      `select state, lease_token, extract(epoch from lease_expires_at - clock_timestamp())::int as seconds from wm.items where id = $1`,
      [item.id],
    )
  )[0]!
const heartbeat = (item: Leased) => story.agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token })

describe('revoke_leases', () => {
  it('puts the item back, kills the token, records who and why, and reopens the order', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    const answer = await story.reviewer.post('/leases/revoke', { agent: 'agent-1', order: order.id, reason: 'The agent runs wild' })
    expect(answer.status, answer.text).toBe(200)
    expect(answer.body).toMatchObject({
      leases: [{ item_id: item.id, order_id: order.id, agent_id: 'agent-1' }],
      more: false,
      dry_run: false,
    })
    expect(await leaseOf(item)).toMatchObject({ state: 'queued', lease_token: null })
    expect((await story.order(order.id)).state).toBe('queued')
    expect(await story.events(order.id, 'item.lease_revoked')).toMatchObject([
      { actor_type: 'user', actor_id: 'rita', payload: { reason: 'The agent runs wild', agent_id: 'agent-1', generation: 1 } },
    ])
    expect((await story.submit(item)).body.code).toBe('lease_lost')
    const again = await story.take(order.id)
    expect(again.lease_token).not.toBe(item.lease_token)
    expect((await story.submit(again)).status).toBe(202)
  })

  it('in a dry run changes nothing', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    const answer = await story.reviewer.post('/leases/revoke', { order: order.id, reason: 'only looking', dry_run: true })
    expect(answer.body).toMatchObject({ leases: [{ item_id: item.id }], dry_run: true })
    expect((await heartbeat(item)).status).toBe(200)
  })

  it('selects by silence, and needs a selector or all', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    const silent = () => story.reviewer.post('/leases/revoke', { order: order.id, silent_for_seconds: 600, reason: 'silent' })
    expect((await silent()).body.leases).toEqual([])
    await story.server.database.sql(`update wm.items set last_heartbeat_at = clock_timestamp() - interval '11 minutes' where id = $1`, [
      item.id,
    ])
    expect((await silent()).body.leases).toMatchObject([{ item_id: item.id }])
    const none = await story.reviewer.post('/leases/revoke', { reason: 'which?' })
    expect([none.status, none.body.code]).toEqual([422, 'validation_failed'])
    expect(none.text).toContain('all: true')
    expect((await story.reviewer.post('/leases/revoke', { order: order.id })).body.code).toBe('validation_failed')
  })

  it('refuses agents and services whatever they hold, and people without the ability', async () => {
    const agent = await story.server.caller('agent', 'agent-9', { abilities: ['*'] })
    const clerk = await story.server.caller('person', 'clerk', { abilities: ['work:*'] })
    for (const path of ['/leases/revoke', '/leases/extend', '/leases/reclaim']) {
      const body = { all: true, reason: 'x', ...(path === '/leases/extend' ? { ttl_seconds: 60 } : {}) }
      expect((await agent.post(path, body)).body.code).toBe('agents_cannot_decide')
      expect((await clerk.post(path, body)).body.code).toBe('scope_missing')
    }
  })

  it('reaches no lease of another tenant, not even with all', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    const stranger = await story.server.caller('person', 'zoe', { tenant: 'globex' })
    for (const [path, more] of [
      ['/leases/revoke', {}],
      ['/leases/extend', { ttl_seconds: 60 }],
    ] as const)
      expect((await stranger.post(path, { all: true, reason: 'x', ...more })).body.leases).toEqual([])
    expect((await stranger.post('/leases/reclaim', { reason: 'x' })).body.leases).toEqual([])
    expect((await heartbeat(item)).status).toBe(200)
  })

  it('races a submit: whichever comes first wins, and the other hears it', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    const gate = await holdItem(story.server.database, item.id)
    const revoked = story.reviewer.post('/leases/revoke', { order: order.id, reason: 'race' })
    await gate.waiting(1)
    const submitted = story.submit(item)
    await gate.waiting(2)
    await gate.open()
    const [ended, handedIn] = await Promise.all([revoked, submitted])
    const taken = ended.body.leases.length === 1
    expect(handedIn.status).toBe(taken ? 409 : 202)
    expect((await leaseOf(item)).state).toBe(taken ? 'queued' : 'submitted')
    expect(await story.events(order.id, 'item.lease_revoked')).toHaveLength(taken ? 1 : 0)
  })

  it('with one idempotency key ends them once', async () => {
    const order = await story.propose()
    await story.take(order.id)
    const send = () => story.reviewer.post('/leases/revoke', { order: order.id, reason: 'once' }, { key: `once-${order.id}` })
    const first = await send()
    await story.take(order.id)
    expect((await send()).text).toBe(first.text)
    expect(await story.events(order.id, 'item.lease_revoked')).toHaveLength(1)
  })
})

describe('extend_leases', () => {
  it('gives the time that was asked for, and a heartbeat does not take it away', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    const answer = await story.reviewer.post('/leases/extend', { order: order.id, ttl_seconds: 7200, reason: 'A long download' })
    expect(answer.status, answer.text).toBe(200)
    expect((await leaseOf(item)).seconds).toBeGreaterThan(7000)
    const beat = await heartbeat(item)
    expect(beat.body.lease_expires_at).toBe(answer.body.leases[0].lease_expires_at)
    expect((await leaseOf(item)).seconds).toBeGreaterThan(7000)
    expect(await story.events(order.id, 'item.lease_extended')).toMatchObject([
      { actor_id: 'rita', payload: { reason: 'A long download', agent_id: 'agent-1' } },
    ])
    // Less time than is left changes nothing.
    await story.reviewer.post('/leases/extend', { order: order.id, ttl_seconds: 5, reason: 'x' })
    expect((await leaseOf(item)).seconds).toBeGreaterThan(7000)
  })

  it('brings no expired lease back to life', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    await expireLease(story.server.database, item.id)
    expect((await story.reviewer.post('/leases/extend', { order: order.id, ttl_seconds: 600, reason: 'too late' })).body.leases).toEqual([])
    expect((await story.submit(item)).body.code).toBe('lease_expired')
  })
})

describe('reclaim_leases', () => {
  it('takes expired leases only, with the reason on record', async () => {
    const order = await story.propose({ messages: ['a', 'b'] })
    const silent = await story.take(order.id)
    const busy = await story.take(order.id)
    await expireLease(story.server.database, silent.id)
    const dry = await story.reviewer.post('/leases/reclaim', { order: order.id, dry_run: true })
    expect(dry.body.leases).toMatchObject([{ item_id: silent.id }])
    const answer = await story.reviewer.post('/leases/reclaim', { order: order.id, reason: 'Night shift' })
    expect(answer.body.leases).toMatchObject([{ item_id: silent.id }])
    expect((await leaseOf(silent)).state).toBe('queued')
    expect((await heartbeat(busy)).status).toBe(200)
    expect(await story.events(order.id, 'item.lease_expired')).toMatchObject([
      { actor_type: 'user', actor_id: 'rita', payload: { reason: 'Night shift', agent_id: 'agent-1' } },
    ])
    expect((await story.reviewer.post('/leases/reclaim', { order: order.id })).body.leases).toEqual([])
  })
})
