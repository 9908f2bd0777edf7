/** `?wait=`: an agent that found nothing stays on the line and is woken when there is work; it never leases for somebody who hung up. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { essayType } from '../../../testing/essay-type.ts'
import { type Caller, createCaller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import type { OperationRequest } from '../../kernel/operations/run-operation.ts'
import { checkoutItem } from '../leases/checkout-item.ts'
import { topics } from '../topics.ts'

const config = { database: { max_connections: 8 } }
let here: TestServer
let there: TestServer
let proposer: Caller
let robin: Caller
let tenantId: string

beforeAll(async () => {
  here = await startTestServer({ config, types: [essayType], background: false })
  there = await startTestServer({ config, types: [essayType], background: false, database: here.database })
  proposer = await here.caller('service', 'crm')
  robin = await here.caller('agent', 'robin')
  tenantId = (await here.manager.tenants.ensure('acme', 'acme')).id
  waiters = watch(here)
})
afterAll(async () => {
  await there.stop()
  await here.stop()
})
// Nothing is ready when a test begins.
const clear = () =>
  here.database.sql(
    `update wm.items set state = 'cancelled', lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null where state in ('queued', 'leased')`,
  )
beforeEach(clear)

const proposal = { type: 'test.essay', payload: { titles: ['one'] } }
interface Waiters {
  /** How many callers wait for work right now. */
  now(): number
  /** How often a wait ended because somebody called. */
  woken(): number
  /** Whether the caller who waited last has hung up, as far as the server knows. */
  hungUp(): boolean
}
/** Looks on while callers wait for work of the tenant; what they hear stays the same. */
function watch(server: TestServer): Waiters {
  const { signal } = server.manager.tools
  const { wait } = signal
  let waiting = 0
  let woken = 0
  let last: AbortSignal | undefined
  signal.wait = async (topic, ms, abort) => {
    if (topic !== topics.ready(tenantId)) return wait(topic, ms, abort)
    last = abort
    waiting++
    const heard = await wait(topic, ms, abort).finally(() => waiting--)
    if (heard) woken++
    return heard
  }
  return { now: () => waiting, woken: () => woken, hungUp: () => last?.aborted === true }
}
let waiters: Waiters
const waiting = (n = 1, who = waiters) => until(async () => who.now() >= n, `${n} callers wait for work`)

describe('a waiting checkout', () => {
  it.each(['/checkout?wait=20', '/checkout'])('%s is woken by a proposal', async (path) => {
    for (let round = 1; ; round++) {
      const before = waiters.woken()
      const race = { over: false }
      const answer = robin.post(path, path.includes('?') ? {} : { wait: 20 }).finally(() => (race.over = true))
      await waiting()
      expect(race.over).toBe(false)
      const proposed = await proposer.post('/propose', proposal)
      expect((await answer).body.item).toMatchObject({ order_id: proposed.body.order.id, attempt: 1 })
      // It also looks by itself twice a second, and that look may win now and then, but not every time.
      if (waiters.woken() > before) return
      expect(round, 'nobody called the waiting checkout').toBeLessThan(5)
    }
  })

  it('hears of work that another process took in', async () => {
    const answer = robin.post('/checkout?wait=20', {})
    await waiting()
    const proposed = await createCaller(there.url, proposer.key, 'crm').post('/propose', proposal)
    expect((await answer).body.item.order_id).toBe(proposed.body.order.id)
  })

  it('is woken by a release, and among many waiting ones exactly one gets the item', async () => {
    const proposed = await proposer.post('/propose', proposal)
    const { item } = (await robin.post('/checkout', {})).body
    const racing = Promise.all(Array.from({ length: 8 }, () => robin.post(`/orders/${proposed.body.order.id}/checkout?wait=2`)))
    await waiting(8)
    expect((await robin.post(`/items/${item.id}/release`, { lease_token: item.lease_token })).status).toBe(200)
    expect((await racing).map((one) => one.status).toSorted((a, b) => a - b)).toEqual([200, ...Array.from({ length: 7 }, () => 409)])
  })

  it('gives up when its time is over', async () => {
    expect(await robin.post('/checkout?wait=1', {})).toMatchObject({ status: 409, body: { code: 'no_items_available' } })
  })
})

describe('a caller who hangs up', () => {
  it('leaves nobody waiting, and the next item goes to somebody else', async () => {
    const controller = new AbortController()
    const gone = robin.post('/checkout?wait=30', {}, { signal: controller.signal })
    await waiting()
    controller.abort()
    await expect(gone).rejects.toThrow()
    await until(async () => waiters.hungUp() && waiters.now() === 0, 'nobody waits any more')
    const proposed = await proposer.post('/propose', proposal)
    const sam = await here.caller('agent', 'sam')
    expect((await sam.post('/checkout', {})).body.item).toMatchObject({ order_id: proposed.body.order.id, attempt: 1 })
  })

  it('does not lease the item that came in the same moment', async () => {
    for (let round = 0; ; round++) {
      const controller = new AbortController()
      let settled = false
      const call = here.manager
        .run(checkoutItem as never, callOf(controller.signal))
        .then(
          () => 'leased',
          (error: { code: string }) => error.code,
        )
        .finally(() => (settled = true))
      await waiting()
      // Taken in by the other process: nothing wakes the waiter before it hangs up.
      const proposed = await createCaller(there.url, proposer.key, 'crm').post('/propose', proposal)
      const lookedFirst = settled
      controller.abort()
      const outcome = await call
      // A waiter also looks by itself twice a second; when that look came before the hang-up, the race was not run.
      if (lookedFirst && round < 10) {
        await clear()
        continue
      }
      expect(outcome).toBe('no_items_available')
      expect(await here.database.sql('select state, attempts from wm.items where order_id = $1', [proposed.body.order.id])).toEqual([
        { state: 'queued', attempts: 0 },
      ])
      return
    }
  })
})

it('a server that stops lets its waiting callers go', async () => {
  const third = await startTestServer({ config, types: [essayType], background: false, database: here.database })
  const ofThird = watch(third)
  const answer = createCaller(third.url, robin.key, 'robin').post('/checkout?wait=60', {})
  await waiting(1, ofThird)
  const stopped = third.stop()
  expect([409, 503]).toContain((await answer).status)
  await stopped
})

function callOf(signal: AbortSignal): OperationRequest {
  const principal = {
    tenantId,
    tenantSlug: 'acme',
    kind: 'agent' as const,
    id: 'robin',
    name: 'agent:robin',
    keyId: null,
    abilities: ['work:checkout'],
    tier: 'default' as const,
  }
  const provenance = {
    id: '0190a000-0000-7000-8000-000000000001',
    agentId: 'robin',
    claimedAgentId: null,
    agentName: null,
    agentVersion: null,
    agentType: null,
    modelName: null,
    runtime: null,
    ip: null,
    userAgent: null,
    fingerprint: 'test',
  }
  return {
    principal,
    provenance,
    requestId: 'test',
    traceparent: null,
    input: { wait: 30 },
    idempotencyKey: undefined,
    signal,
    fingerprintSource: 'test',
  }
}
