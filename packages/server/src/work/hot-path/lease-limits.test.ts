/**
 * Limits on leases: 64 requests at once, through two processes and all three kinds of checkout, never get one lease too many. A gate on the
 * lock under which leases are counted lines the statements up, so that each of them has seen the same count if it looked before the lock.
 */
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echoType } from '../../../testing/echo-type.ts'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { closeGate } from '../../../testing/row-gate.ts'
import { type Answer, type Caller, createCaller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import type { ConfigInput } from '../../config/index.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'

const narrowType = defineOrderType({
  type: 'test.narrow',
  payload: Type.Object({ n: Type.Integer() }),
  input: Type.Object({ n: Type.Integer() }),
  result: Type.Object({ n: Type.Integer() }),
  plan: ({ payload }) => Array.from({ length: payload.n }, (_, n) => ({ input: { n } })),
  apply: (context) => context.diff({}, {}, 'nothing'),
  maxLeases: 2,
})

interface Pair {
  readonly here: TestServer
  readonly proposer: Caller
  /** The same agent at both processes. */
  agent(id: string, tenant?: string): Promise<readonly [Caller, Caller]>
  propose(type: string, items: number, who?: Caller): Promise<string>
  /** 64 requests of `agents` in turn: of an order, of a type, of anything; through both processes; lined up behind the count's lock. */
  burst(agents: ReadonlyArray<readonly [Caller, Caller]>, orders: readonly string[], types: readonly string[]): Promise<Answer[]>
  leased(): Promise<Array<{ agent: string; type: string; tenant: string }>>
  stop(): Promise<void>
}

async function startPair(lease: NonNullable<ConfigInput['lease']>): Promise<Pair> {
  const options = { config: { lease, database: { max_connections: 12 } }, types: [echoType, essayType, narrowType], background: false }
  const here = await startTestServer(options)
  const there = await startTestServer({ ...options, database: here.database })
  const proposer = await here.caller('service', 'crm')
  return {
    here,
    proposer,
    async agent(id, tenant) {
      const one = await here.caller('agent', id, tenant === undefined ? {} : { tenant })
      return [one, createCaller(there.url, one.key, one.id)]
    },
    async propose(type, n, who = proposer) {
      const texts = Array.from({ length: n }, (_, m) => `text ${m}`)
      const payload = type === 'test.echo' ? { messages: texts } : type === 'test.essay' ? { titles: texts } : { n }
      const answer = await who.post('/propose', { type, payload })
      expect(answer.status, answer.text).toBe(201)
      return answer.body.order.id
    },
    async burst(agents, orders, types) {
      const [{ tenant_id: tenant } = { tenant_id: '' }] = await here.database.sql<{ tenant_id: string }>(
        'select tenant_id from wm.orders where id = $1',
        [orders[0]],
      )
      const gate = await closeGate(here.database, `select pg_advisory_xact_lock(hashtextextended('wm.leases|' || $1::text, 0))`, [tenant])
      const asked = Array.from({ length: 64 }, (_, n) => {
        const who = agents[n % agents.length]![n % 2]!
        const turn = Math.floor(n / 3)
        if (n % 3 === 0) return who.post(`/orders/${orders[turn % orders.length]}/checkout`, {}, { key: null })
        return who.post('/checkout', n % 3 === 1 ? { type: types[turn % types.length] } : {}, { key: null })
      })
      // Several statements, of both processes and of several lanes, each of them before its count.
      await gate.waiting(4)
      await gate.open()
      return Promise.all(asked)
    },
    leased: () =>
      here.database.sql(
        `select leased_by_agent_id as agent, order_type as type, t.slug as tenant from wm.items i join wm.tenants t on t.id = i.tenant_id where i.leased`,
      ),
    async stop() {
      await there.stop()
      await here.stop()
    },
  }
}

const granted = (answers: readonly Answer[]): Answer[] => answers.filter((one) => one.status === 200)
const refused = (answers: readonly Answer[]): Answer[] => answers.filter((one) => one.status !== 200)

describe('lease.max_per_agent', () => {
  let pair: Pair
  beforeAll(async () => {
    pair = await startPair({ max_per_agent: 5 })
  })
  afterAll(() => pair.stop())

  it('64 at once by three agents: five each, and the refusal says what to do', async () => {
    const orders = [await pair.propose('test.echo', 30), await pair.propose('test.essay', 30), await pair.propose('test.echo', 30)]
    const agents = await Promise.all(['ann', 'ben', 'cid'].map((id) => pair.agent(id)))
    const answers = await pair.burst(agents, orders, ['test.echo', 'test.essay'])
    const held = await pair.leased()
    for (const id of ['ann', 'ben', 'cid'])
      expect(
        held.filter((one) => one.agent === id),
        id,
      ).toHaveLength(5)
    expect(granted(answers)).toHaveLength(15)
    for (const { status, body, headers } of refused(answers)) {
      expect({ status, code: body.code, retry: body.retry, limit: body.limit, max: body.max }).toEqual({
        status: 409,
        code: 'lease_limit_reached',
        retry: 'later',
        limit: 'agent',
        max: 5,
      })
      expect(body.detail).toMatch(/^Agent '(ann|ben|cid)' holds 5 leases/)
      expect(body.fix).toContain('Hand in, release or fail')
      expect(headers.get('retry-after')).toBe('1')
    }
  })

  it('an item that is handed in makes room for one more, for a waiting checkout too', async () => {
    const [ann] = await pair.agent('ann')
    const waiting = ann.post('/checkout', { wait: 20 }, { key: null })
    const [item] = await pair.here.database.sql<{ id: string; token: string; type: string; message: string }>(
      `select id, lease_token as token, order_type as type, input ->> 'message' as message from wm.items where leased and leased_by_agent_id = 'ann' limit 1`,
    )
    const result = item!.type === 'test.essay' ? essay : { echoed: item!.message, ok: true }
    expect((await ann.post(`/items/${item!.id}/submit`, { lease_token: item!.token, result })).status).toBe(202)
    expect((await waiting).status).toBe(200)
    expect((await ann.post('/checkout', {}, { key: null })).body.code).toBe('lease_limit_reached')
  })

  it('counts the leases of another tenant’s agent of the same name by themselves', async () => {
    const elsewhere = await pair.here.caller('service', 'crm', { tenant: 'globex' })
    await pair.propose('test.echo', 8, elsewhere)
    const [namesake] = await pair.agent('ann', 'globex')
    const answers = await Promise.all(Array.from({ length: 8 }, () => namesake.post('/checkout', {}, { key: null })))
    expect(granted(answers)).toHaveLength(5)
  })
})

describe('lease.max_per_type, and a type’s own maxLeases', () => {
  let pair: Pair
  beforeAll(async () => {
    pair = await startPair({ max_per_type: 7 })
  })
  afterAll(() => pair.stop())

  it('64 at once: as many of each type as its limit says; a saturated type at the head stops nobody', async () => {
    // The head of the queue is the narrow type, with far more items than anybody looks at.
    const orders = [await pair.propose('test.narrow', 500), await pair.propose('test.echo', 30), await pair.propose('test.essay', 30)]
    const agents = await Promise.all(Array.from({ length: 8 }, (_, n) => pair.agent(`agent-${n}`)))
    const answers = await pair.burst(agents, orders, ['test.narrow', 'test.echo', 'test.essay'])
    const held = (await pair.leased()).map((one) => one.type)
    const perType = (type: string): number => held.filter((one) => one === type).length
    expect([perType('test.narrow'), perType('test.echo'), perType('test.essay')]).toEqual([2, 7, 7])
    expect(granted(answers)).toHaveLength(16)
    for (const { body } of refused(answers)) expect(body).toMatchObject({ code: 'lease_limit_reached', limit: 'type' })
    const ofOrder = await agents[0]![0].post(`/orders/${orders[0]}/checkout`, {}, { key: null })
    expect(ofOrder.body).toMatchObject({ code: 'lease_limit_reached', limit: 'type', max: 2, order_type: 'test.narrow' })
  })

  it('a type that is free again is given again, in turn of due time', async () => {
    const [item] = await pair.here.database.sql<{ id: string; token: string; who: string }>(
      `select id, lease_token as token, leased_by_agent_id as who from wm.items where leased and order_type = 'test.narrow' limit 1`,
    )
    const [who] = await pair.agent(item!.who)
    expect((await who.post(`/items/${item!.id}/release`, { lease_token: item!.token })).status).toBe(200)
    const next = await who.post('/checkout', {}, { key: null })
    expect(next.body.item.id).toBe(item!.id)
  })
})

describe('lease.max_per_tenant', () => {
  let pair: Pair
  beforeAll(async () => {
    pair = await startPair({ max_per_tenant: 9, max_per_agent: 6 })
  })
  afterAll(() => pair.stop())

  it('64 at once: nine for the tenant, six at most for an agent, and the other tenant has its own nine', async () => {
    const orders = [await pair.propose('test.echo', 40), await pair.propose('test.essay', 40)]
    const agents = await Promise.all(['ann', 'ben', 'cid'].map((id) => pair.agent(id)))
    const elsewhere = await pair.here.caller('service', 'crm', { tenant: 'globex' })
    const order = await pair.propose('test.echo', 20, elsewhere)
    const strangers = await Promise.all(['ann', 'ben', 'cid'].map((id) => pair.agent(id, 'globex')))
    const answers = await pair.burst(agents, orders, ['test.echo', 'test.essay'])
    const held = await pair.leased()
    expect(held).toHaveLength(9)
    for (const id of ['ann', 'ben', 'cid']) expect(held.filter((one) => one.agent === id).length, id).toBeLessThanOrEqual(6)
    expect(new Set(refused(answers).map((one) => one.body.code))).toEqual(new Set(['lease_limit_reached']))
    expect(refused(answers).some((one) => one.body.limit === 'tenant')).toBe(true)
    expect(granted(await pair.burst(strangers, [order], ['test.echo']))).toHaveLength(9)
  })
})

it('a limit counts what is leased until it is taken back, and then no longer', async () => {
  const pair = await startPair({ max_per_agent: 1 })
  try {
    const order = await pair.propose('test.echo', 2)
    const [ann] = await pair.agent('ann')
    const { item } = (await ann.post(`/orders/${order}/checkout`, {}, { key: null })).body
    await pair.here.database.sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [item.id])
    expect((await ann.post(`/orders/${order}/checkout`, {}, { key: null })).body.code).toBe('lease_limit_reached')
    await pair.here.run('lease-reclaimer')
    await until(async () => (await ann.post(`/orders/${order}/checkout`, {}, { key: null })).status === 200, 'room again')
  } finally {
    await pair.stop()
  }
})

describe('agent ids that a service names', () => {
  it('use up nothing of the agent that bears the name, and are no way past the limit', async () => {
    const server = await startTestServer({
      types: [echoType],
      background: false,
      config: { lease: { max_per_agent: 1, max_per_principal: 3 } },
    })
    try {
      const service = await server.caller('service', 'crm')
      const agent = await server.caller('agent', 'crawler')
      const payload = { messages: Array.from({ length: 9 }, (_, n) => `m${n}`) }
      expect((await service.post('/propose', { type: 'test.echo', payload })).status).toBe(201)
      const as = (name: string) => service.post('/checkout', {}, { key: null, headers: { 'x-agent-id': name } })
      expect((await as('crawler')).status).toBe(200)
      expect((await as('crawler')).body).toMatchObject({ code: 'lease_limit_reached', limit: 'agent' })
      expect((await agent.post('/checkout', {}, { key: null })).status, 'its own lease is still to come').toBe(200)
      expect((await as('a')).status).toBe(200)
      expect((await as('b')).status).toBe(200)
      expect((await as('c')).body).toMatchObject({ code: 'lease_limit_reached', limit: 'principal', max: 3 })
      // In one batch, too.
      await server.database
        .sql(`update wm.items set state = 'queued', lease_token = null, leased_by_agent_id = null, leased_by_principal = null,
        lease_expires_at = null where leased and leased_by_agent_id in ('a', 'b')`)
      const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => as(`n${n}`)))
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(2)
    } finally {
      await server.stop()
    }
  })
})
