/**
 * Stories of get_status, run_generators, run_maintenance, the verbs of leases and purge_idempotency_keys.
 * What operators do by hand: look at the status, run generators and housekeeping, delete old idempotency keys.
 */
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expireLease } from '../../../testing/row-gate.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import type { Caller } from '../../../testing/test-server.ts'
import { defineGenerator } from '../generators/define-generator.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'

const foundType = defineOrderType({
  type: 'test.found',
  payload: Type.Object({ name: Type.String() }),
  result: Type.Object({ done: Type.Boolean() }),
  apply: (context) => context.diff({}, {}),
})
const found = (name: string, key?: string) => ({ type: 'test.found', payload: { name }, ...(key && { key }) })
const yearly = '0 0 1 1 *'
const generators = [
  defineGenerator({ name: 'nightly.audit', schedule: yearly, generate: () => [found('a', 'key-a'), found('b')] }),
  defineGenerator({ name: 'broken.one', schedule: yearly, generate: () => Promise.reject(new Error('the catalogue is away')) }),
  defineGenerator({ name: 'theirs', schedule: yearly, tenants: ['globex'], generate: () => [found('c')] }),
]

let story: Story
let stranger: Caller
beforeAll(async () => {
  story = await startStory({ types: [foundType], generators })
  stranger = await story.server.caller('person', 'zoe', { tenant: 'globex' })
})
afterAll(() => story.server.stop())
const sql = (text: string, values?: unknown[]) => story.server.database.sql<any>(text, values)

it('agents and services do none of it, and it takes the ability', async () => {
  const agent = await story.server.caller('agent', 'agent-9', { abilities: ['*'] })
  const clerk = await story.server.caller('person', 'clerk', { abilities: ['work:*'] })
  for (const [path, body] of [
    ['/generators/run', {}],
    ['/maintenance', {}],
    ['/idempotency-keys/purge', { older_than_seconds: 3600 }],
  ] as const) {
    expect((await agent.post(path, body)).body.code).toBe('agents_cannot_decide')
    expect((await clerk.post(path, body)).body.code).toBe('scope_missing')
  }
})

describe('get_status', () => {
  it('counts by state, for one tenant only', async () => {
    const order = await story.propose({ messages: ['a', 'b'] })
    const item = await story.take(order.id)
    await story.take(order.id)
    await expireLease(story.server.database, item.id)
    const { body } = await story.agent.get('/status')
    expect(body).toMatchObject({
      database: { status: 'ok' },
      orders: { total: 1, checked_out: 1, queued: 0 },
      items: { total: 2, leased: 2 },
      leases: { active: 1, expired: 1 },
    })
    expect(body.ledger.unnumbered).toBeGreaterThan(0)
    await story.server.run('sequencer')
    expect((await story.agent.get('/status')).body.ledger.unnumbered).toBe(0)
    expect((await stranger.get('/status')).body).toMatchObject({
      orders: { total: 0 },
      items: { total: 0 },
      leases: { active: 0, expired: 0 },
    })
  })
})

describe('run_maintenance', () => {
  it('does what is named, for one tenant only', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    await expireLease(story.server.database, item.id)
    expect((await stranger.post('/maintenance')).body).toEqual({ leases_reclaimed: 0, dead_lettered: 0, stale_reported: 0 })
    const { body } = await story.reviewer.post('/maintenance', { reclaim_leases: true })
    expect(body).toEqual({ leases_reclaimed: 2, dead_lettered: null, stale_reported: null })
    expect((await story.order(order.id)).state).toBe('queued')
    await sql(`update wm.orders set last_transitioned_at = clock_timestamp() - interval '25 hours' where id = $1`, [order.id])
    expect((await story.reviewer.post('/maintenance')).body).toEqual({ leases_reclaimed: 0, dead_lettered: 0, stale_reported: 1 })
    expect((await story.reviewer.post('/maintenance')).body.stale_reported).toBe(0)
  })

  it('sets aside what failed for good', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    await story.agent.post(`/items/${item.id}/fail`, {
      lease_token: item.lease_token,
      class: 'permanent',
      error: { code: 'broken', message: 'cannot be done' },
    })
    await sql(`update wm.items set updated_at = clock_timestamp() - interval '30 days' where id = $1`, [item.id])
    const { body } = await story.reviewer.post('/maintenance', { dead_letter: true })
    expect(body.dead_lettered).toBeLessThanOrEqual(1)
    expect((await story.order(order.id)).state).toBe('dead_lettered')
  })
})

describe('run_generators', () => {
  const names = async () =>
    (await sql(`select payload->>'name' as name from wm.orders where type = 'test.found' order by 1`)).map(
      (row: { name: string }) => row.name,
    )

  it('rehearses without proposing', async () => {
    const { body, status, text } = await story.reviewer.post('/generators/run', { dry_run: true })
    expect(status, text).toBe(200)
    expect(body).toMatchObject({ proposed: 0, dry_run: true })
    expect(body.generators.map((one: { generator: string }) => one.generator)).toEqual(['nightly.audit', 'broken.one'])
    expect(body.generators[0]).toMatchObject({ found: 2, orders: [{ payload: { name: 'a' } }, { payload: { name: 'b' } }] })
    expect(await names()).toEqual([])
  })

  it('runs those that are due, once', async () => {
    expect((await story.reviewer.post('/generators/run')).body.generators).toMatchObject([{ ran: false }, { ran: false }])
    await sql(`update wm.generator_runs set next_run_at = now() - interval '1 minute'`)
    const both = await Promise.all([story.reviewer.post('/generators/run'), story.reviewer.post('/generators/run')])
    expect(both.reduce((sum, { body }) => sum + body.proposed, 0)).toBe(2)
    expect(await names()).toEqual(['a', 'b'])
  })

  it('runs one by name whether it is due or not, says what failed, and refuses a wrong name', async () => {
    expect((await story.reviewer.post('/generators/run', { generator: 'nightly.audit' })).body).toMatchObject({
      proposed: 1,
      generators: [{ ran: true, found: 2, proposed: 1 }],
    })
    expect((await story.reviewer.post('/generators/run', { generator: 'broken.one' })).body.generators).toMatchObject([
      { error: 'the catalogue is away' },
    ])
    const wrong = await story.reviewer.post('/generators/run', { generator: 'nightly.audti' })
    expect([wrong.status, wrong.body.detail]).toEqual([404, expect.stringContaining('nightly.audit')])
    expect((await story.reviewer.post('/generators/run', { generator: 'theirs' })).status).toBe(404)
  })
})

describe('purge_idempotency_keys', () => {
  it('deletes old keys of the tenant, never young ones or those of generated work, and records it', async () => {
    const body = { type: 'test.echo', payload: { messages: ['kept'] } }
    const young = await story.proposer.post('/propose', body, { key: 'young' })
    const old = await story.proposer.post('/propose', body, { key: 'old' })
    await sql(`update wm.idempotency set created_at = clock_timestamp() - interval '2 days' where body = $1 or operation = 'generate'`, [
      old.text,
    ])
    expect((await stranger.post('/idempotency-keys/purge', { older_than_seconds: 86_400 })).body.keys).toBe(0)
    expect((await story.reviewer.post('/idempotency-keys/purge', { older_than_seconds: 86_400, dry_run: true })).body).toEqual({
      keys: 1,
      more: false,
      dry_run: true,
    })
    expect((await story.reviewer.post('/idempotency-keys/purge', { older_than_seconds: 86_400 })).body).toEqual({
      keys: 1,
      more: false,
      dry_run: false,
    })
    expect((await story.proposer.post('/propose', body, { key: 'young' })).text).toBe(young.text)
    expect((await story.proposer.post('/propose', body, { key: 'old' })).body.order.id).not.toBe(old.body.order.id)
    expect(await sql(`select count(*)::int as n from wm.idempotency where operation = 'generate'`)).toEqual([{ n: 1 }])
    expect(await sql(`select payload from record where kind = 'idempotency.purged'`)).toEqual([
      { payload: { keys: 1, older_than_seconds: 86_400 } },
    ])
    expect((await story.reviewer.post('/idempotency-keys/purge', { older_than_seconds: 60 })).body.code).toBe('validation_failed')
  })
})
