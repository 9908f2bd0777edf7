/** Counters of the lifecycle come from the record: every path that leaves the event is counted, once in the whole cluster. */
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failureReasons } from '@work-manager/contract'
import { echoType } from '../../testing/echo-type.ts'
import { type Caller, startTestServer, type TestServer } from '../../testing/test-server.ts'
import { createSequencer } from '../ledger/sequencer.ts'
import { defineOrderType } from '../work/order-types/define-order-type.ts'
import { parseExposition } from './fixtures/receivers.ts'

const breaking = defineOrderType({
  type: 'test.breaking',
  payload: Type.Object({}),
  result: Type.Object({}),
  retry: { maxAttempts: 2, baseSeconds: 0, maxSeconds: 0 },
  apply: () => Promise.reject(new Error('the target is down')),
})

let server: TestServer
let service: Caller
let agent: Caller
let person: Caller

beforeAll(async () => {
  server = await startTestServer({ types: [echoType, breaking], background: false })
  service = await server.caller('service', 'crm')
  agent = await server.caller('agent', 'agent-1')
  person = await server.caller('person', 'rita')
})
afterAll(() => server.stop())

const scrape = async (of: TestServer = server) => parseExposition((await of.manager.tools.metrics.expose!(undefined)).body)
/** What the counters gained while `work` ran and its events were sequenced. */
async function gained(work: () => Promise<unknown>): Promise<Record<string, number>> {
  await server.run('sequencer')
  const before = await scrape()
  await work()
  await server.run('sequencer')
  const after = await scrape()
  const counters = [...after].filter(
    ([key]) => /^(orders|items|leases)_\w+_total\{/.test(key) || key.startsWith('order_time_to_approval_seconds_count'),
  )
  return Object.fromEntries(counters.map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const).filter(([, n]) => n !== 0))
}

async function propose(type: string, payload: object): Promise<string> {
  const { body, text, status } = await service.post('/propose', { type, payload })
  expect(status, text).toBe(201)
  return body.order.id
}
async function checkout(order: string): Promise<{ id: string; lease_token: string }> {
  const { body, text, status } = await agent.post(`/orders/${order}/checkout`, {}, { key: null })
  expect(status, text).toBe(200)
  return body.item
}
async function submit(order: string, result: object): Promise<void> {
  const item = await checkout(order)
  const { status, text } = await agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result })
  expect(status, text).toBe(202)
}

describe('counted from the record', () => {
  it('the way of an order that is applied', async () => {
    const counted = await gained(async () => {
      const order = await propose('test.echo', { messages: ['hi'] })
      await submit(order, { echoed: 'hi', ok: true })
      const approval = person.post(`/orders/${order}/approve`)
      while ((await server.run('applier')) === 0);
      expect((await approval).body.order.state).toBe('completed')
    })
    expect(counted).toEqual({
      'orders_created_total{type=test.echo}': 1,
      'leases_acquired_total{type=test.echo}': 1,
      'items_submitted_total{type=test.echo}': 1,
      'orders_approved_total{type=test.echo}': 1,
      'orders_completed_total{type=test.echo}': 1,
      'order_time_to_approval_seconds_count{type=test.echo}': 1,
    })
    expect((await scrape()).get('order_apply_duration_seconds_count{type=test.echo}')).toBe(1)
  })

  it('an apply that fails, by its code', async () => {
    const counted = await gained(async () => {
      const order = await propose('test.breaking', { n: 1 })
      await submit(order, { n: 1 })
      const approval = person.post(`/orders/${order}/approve`)
      while ((await server.run('applier')) === 0);
      expect((await approval).status).toBe(422)
      await person.post(`/orders/${order}/reject`, { errors: [{ code: 'x', message: 'no' }] })
    })
    expect(counted).toMatchObject({
      'orders_apply_failed_total{type=test.breaking,reason=apply_failed}': 1,
      'orders_rejected_total{type=test.breaking}': 1,
    })
  })

  it('leases that are given back, run out or are revoked', async () => {
    const counted = await gained(async () => {
      const order = await propose('test.echo', { messages: ['a', 'b', 'c'] })
      const [first, second] = [await checkout(order), await checkout(order), await checkout(order)]
      expect((await agent.post(`/items/${first.id}/release`, { lease_token: first.lease_token })).status).toBe(200)
      await server.database.sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [second.id])
      await server.run('lease-reclaimer')
      const revoked = await person.post('/leases/revoke', { order, reason: 'test' })
      expect(revoked.status, revoked.text).toBe(200)
    })
    expect(counted).toMatchObject({
      'leases_acquired_total{type=test.echo}': 3,
      'leases_released_total{type=test.echo}': 1,
      'leases_expired_total{type=test.echo}': 1,
      'leases_revoked_total{type=test.echo}': 1,
    })
  })

  it('failed items by class, never by the code that the agent made up', async () => {
    const counted = await gained(async () => {
      const order = await propose('test.echo', { messages: ['a', 'b'] })
      for (const [failure, code] of [
        ['transient', 'made-up-7f3a'],
        ['permanent', 'made-up-9c1d'],
      ]) {
        const item = await checkout(order)
        const failed = await agent.post(`/items/${item.id}/fail`, {
          lease_token: item.lease_token,
          class: failure,
          error: { code, message: 'it broke' },
        })
        expect(failed.status, failed.text).toBe(200)
      }
      await server.run('dead-letterer')
    })
    expect(counted).toMatchObject({
      'items_failed_total{type=test.echo,reason=transient}': 1,
      'items_failed_total{type=test.echo,reason=permanent}': 1,
      'orders_dead_lettered_total{type=test.echo}': 1,
    })
    expect((await server.manager.tools.metrics.expose!(undefined)).body).not.toContain('made-up')
  })

  it('every reason that was counted is one of the known ones, and the known ones begin at 0', async () => {
    const seen = await scrape()
    for (const [name, reasons] of Object.entries(failureReasons)) {
      const counted = [...seen.keys()].flatMap((key) => new RegExp(`^${name}\\{type=[^,]*,reason=(.*)\\}$`).exec(key)?.[1] ?? [])
      expect([...new Set(counted)].toSorted()).toEqual([...reasons].toSorted())
    }
    expect(seen.get('orders_apply_failed_total{type=test.echo,reason=apply_failed}')).toBe(0)
  })

  it('what is rolled back is not counted, and a second pass counts nothing again', async () => {
    const { db } = server.manager.tools
    const { id: tenant } = await server.manager.tenants.ensure('acme', 'acme')
    const counted = await gained(async () => {
      await db
        .transaction(tenant, async (tx) => {
          await tx.query({
            text: `insert into wm.intake (tenant_id, kinds, labels, decided_at) values ('${tenant}', '{order.proposed}', '{test.echo}', clock_timestamp())`,
            values: [],
          } as never)
          throw new Error('changed my mind')
        })
        .catch(() => {})
      await server.run('sequencer')
      await server.run('sequencer')
    })
    expect(counted).toEqual({})
  })

  it('of two processes exactly one counts each event', async () => {
    const other = await startTestServer({ types: [echoType], background: false, database: server.database })
    try {
      await server.run('sequencer')
      const key = 'orders_created_total{type=test.echo}'
      const total = async () => ((await scrape()).get(key) ?? 0) + ((await scrape(other)).get(key) ?? 0)
      const before = await total()
      const passes = [server, other].map((one) => createSequencer(one.manager.tools.system, one.manager.tools.metrics))
      const proposals = Promise.all(Array.from({ length: 30 }, () => propose('test.echo', { messages: ['x'] })))
      const proposed = new AbortController()
      void proposals.finally(() => proposed.abort())
      await Promise.all(
        passes.map(async (pass) => {
          while (!proposed.signal.aborted) await pass.run()
        }),
      )
      await passes[0]!.sweep()
      expect((await total()) - before).toBe(30)
    } finally {
      await other.stop()
    }
  })
})
