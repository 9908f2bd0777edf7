/** Sweeps go round the tenants: however much of one is due, and however long, another one's is among the first of the next batch. */
import sql, { type Sql } from 'sql-template-tag'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echoType } from '../../testing/echo-type.ts'
import { type Caller, startTestServer, type TestServer } from '../../testing/test-server.ts'
import { defineOrderType } from './order-types/define-order-type.ts'
import { findDueEffects } from './effects/store.ts'
import { findDueRetries, findExpiredLeases, findFinalFailures } from './items/store.ts'
import { findApprovedOrders, findUndecidedOrders } from './orders/store.ts'
import type { Queryable } from '../kernel/store/tx.ts'

/** Which tenants were applied and sent to, in order. */
const applied: string[] = []
const sent: string[] = []
const worldType = defineOrderType({
  type: 'test.world',
  payload: Type.Object({ tenant: Type.String() }),
  result: Type.Object({ done: Type.Boolean() }),
  apply(context) {
    const { tenant } = context.order.payload
    applied.push(tenant)
    context.effect('send', { tenant })
    return context.diff({}, {}, 'done')
  },
  effects: { send: { deduplicates: true, run: async (input) => void sent.push((input as { tenant: string }).tenant) } },
})

let server: TestServer
const tenants: Record<string, string> = {}
const crowd = 120
beforeAll(async () => {
  // So few connections that one order is applied at a time: then the order in which they begin is that of the turns.
  const config = { approval: { wait_ms: 0 }, database: { max_connections: 7 } }
  server = await startTestServer({ types: [echoType, worldType], background: false, config })
})
afterAll(() => server.stop())

interface Side {
  readonly crm: Caller
  readonly agent: Caller
  readonly rita: Caller
}
async function sideOf(tenant: string): Promise<Side> {
  tenants[tenant] = (await server.manager.tenants.ensure(tenant, tenant)).id
  return {
    crm: await server.caller('service', 'crm', { tenant }),
    agent: await server.caller('agent', 'agent-1', { tenant }),
    rita: await server.caller('person', 'rita', { tenant }),
  }
}

it('an order of a small tenant is applied, and its effect sent, next to the first of another one’s hundred older ones', async () => {
  // The biggest first, so that everything of it is older.
  for (const [tenant, n] of Object.entries({ big: 40, middle: 10, small: 1 })) {
    const { crm, agent, rita } = await sideOf(tenant)
    for (let m = 0; m < n; m++) {
      const { order } = (await crm.post('/propose', { type: 'test.world', payload: { tenant } })).body
      const { item } = (await agent.post(`/orders/${order.id}/checkout`, {}, { key: null })).body
      await agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { done: true } })
      expect((await rita.post(`/orders/${order.id}/approve`)).status).toBe(202)
    }
  }
  expect(await server.run('applier')).toBe(51)
  expect(applied.slice(0, 7)).toEqual(['big', 'middle', 'small', 'big', 'middle', 'big', 'middle'])
  expect(applied.slice(-10)).toEqual(Array.from({ length: 10 }, () => 'big'))
  expect(await server.run('effect-runner')).toBe(51)
  expect(new Set(sent.slice(0, 3))).toEqual(new Set(['big', 'middle', 'small']))
  expect(sent.filter((tenant) => tenant === 'small')).toHaveLength(1)
})

describe('candidates of', () => {
  /** One order with many items, in the state that the sweep looks for. */
  async function items(tenant: string, n: number, change: string): Promise<void> {
    const { crm } = await sideOf(tenant)
    const messages = Array.from({ length: n }, (_, m) => `${m}`)
    const { order } = (await crm.post('/propose', { type: 'test.echo', payload: { messages } })).body
    await server.database.sql(`update wm.items set ${change} where order_id = $1`, [order.id])
  }
  const inTurn = async (find: (q: Queryable, limit: number) => Promise<Array<{ tenant_id: string }>>): Promise<string[]> => {
    const names = new Map(Object.entries(tenants).map(([name, id]) => [id, name]))
    return (await find(server.manager.tools.system, 20)).map((one) => names.get(one.tenant_id)!)
  }
  const fair = ['few', 'few', 'few', ...Array.from({ length: 16 }, () => 'many'), 'one']

  it('the lease reclaimer, the retry scheduler and the dead-letterer', async () => {
    const leased = (ago: string) =>
      `state = 'leased', lease_token = 't', leased_by_agent_id = 'a', leased_by_principal = 'p', lease_expires_at = clock_timestamp() - interval '${ago}'`
    await items('many', crowd, leased('3 hours'))
    await items('few', 3, leased('2 hours'))
    await items('one', 1, leased('1 second'))
    expect((await inTurn(findExpiredLeases)).toSorted()).toEqual(fair)
    expect((await inTurn(findExpiredLeases)).slice(0, 5)).toEqual(['many', 'few', 'one', 'many', 'few'])

    const unlease = 'lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null'
    await server.database.sql(
      `update wm.items set state = 'failed', ${unlease}, available_at = clock_timestamp() - interval '1 second' where leased`,
    )
    expect((await inTurn(findDueRetries)).toSorted()).toEqual(fair)
    expect(await inTurn((q, limit) => findFinalFailures(q, 0, limit))).toEqual([])
    await server.database.sql(`update wm.items set available_at = null where failed`)
    expect(await inTurn(findDueRetries)).toEqual([])
    expect((await inTurn((q, limit) => findFinalFailures(q, 0, limit))).toSorted()).toEqual(fair)
  })

  it('the applier, the auto-approver and the effect runner leave out what is paused', async () => {
    const paused = (text: Sql) => server.manager.tools.db.transaction(tenants.big!, (tx) => tx.query(text))
    await server.database.sql(`update wm.effects set state = 'pending', available_at = clock_timestamp() - interval '1 second'`)
    await server.database.sql(
      `set session_replication_role = replica; update wm.orders set state = 'approved' where state = 'completed'; set session_replication_role = origin`,
    )
    const both = async () => [(await inTurn(findApprovedOrders)).includes('big'), (await inTurn(findDueEffects)).includes('big')]
    expect(await both()).toEqual([true, true])
    for (const [scope, subject] of [
      ['type', 'test.world'],
      ['tenant', ''],
    ] as const) {
      await paused(sql`insert into wm.pauses values (${tenants.big}, ${scope}, ${subject}, 'x', 'p', now())`)
      expect(await both(), scope).toEqual([false, false])
      expect((await inTurn(findApprovedOrders)).includes('middle')).toBe(true)
      await paused(sql`delete from wm.pauses`)
    }
    await server.database.sql(`update wm.cluster set paused_at = now(), paused_by = 'x', pause_reason = 'x'`)
    expect([await inTurn(findApprovedOrders), await inTurn(findDueEffects)]).toEqual([[], []])
    await server.database.sql(`update wm.cluster set paused_at = null, paused_by = null, pause_reason = null`)
    await server.database.sql(
      `set session_replication_role = replica; update wm.orders set state = 'submitted', approval_id = null where state = 'approved'; set session_replication_role = origin`,
    )
    const undecided = (q: Queryable, limit: number) => findUndecidedOrders(q, ['test.world'], limit)
    expect((await inTurn(undecided)).slice(0, 3)).toEqual(['big', 'middle', 'small'])
  })
})
