/** Many agents at once, through two server processes on one database. Gates line the racers up behind one row lock, then let all go. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { contradictionsIn } from '../../../testing/history.ts'
import { closeGate, holdOrder } from '../../../testing/row-gate.ts'
import { type Answer, type Caller, createCaller, startTestServer, type TestServer } from '../../../testing/test-server.ts'

// Several servers share one small database: each gets few connections.
const config = { database: { max_connections: 8 } }
let here: TestServer
let there: TestServer
let proposer: Caller
let rita: Caller
/** Eight agents, each with a door into both processes. */
let agents: Caller[]
/** Orders that a test changed by SQL, past the rules. */
const forged: string[] = []

beforeAll(async () => {
  here = await startTestServer({ config, types: [essayType], background: false })
  there = await startTestServer({ config, types: [essayType], background: false, database: here.database })
  proposer = await here.caller('service', 'crm')
  rita = await here.caller('person', 'rita')
  const made = await Promise.all(Array.from({ length: 8 }, (_, n) => here.caller('agent', `agent-${n}`)))
  agents = made.flatMap((one) => [one, createCaller(there.url, one.key, one.id)])
})
afterAll(async () => {
  await there.stop()
  await here.stop()
})

const titles = (n: number): string[] => Array.from({ length: n }, (_, i) => `title ${i}`)
const propose = async (items: number, priority = 0): Promise<string> => {
  const answer = await proposer.post('/propose', { type: 'test.essay', payload: { titles: titles(items) }, priority })
  expect(answer.status, answer.text).toBe(201)
  return answer.body.order.id
}
const agent = (n: number): Caller => agents[n % agents.length]!
const race = (n: number, run: (who: Caller, n: number) => Promise<Answer>): Promise<Answer[]> =>
  Promise.all(Array.from({ length: n }, (_, i) => run(agent(i), i)))
const statuses = (answers: readonly Answer[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}
/** attempts = generation = grants on record, for every item there is. */
const expectGrantsOnRecord = async (): Promise<void> => {
  const wrong = await here.database.sql(
    `select i.id from wm.items i where i.attempts <> (select count(*) from record e where e.item_id = i.id and e.kind = 'item.leased') or i.attempts <> i.generation`,
  )
  expect(wrong).toEqual([])
}

describe('checkout', () => {
  it('64 at once on one item: exactly one gets it', async () => {
    const orderId = await propose(1)
    const gate = await holdOrder(here.database, orderId)
    const racing = race(64, (who) => who.post(`/orders/${orderId}/checkout`))
    await gate.waiting(2)
    await gate.open()
    const answers = await racing
    expect(statuses(answers)).toEqual({ 200: 1, 409: 63 })
    expect(
      answers
        .filter((one) => one.status === 409)
        .every((one) => one.body.code === 'no_items_available' && one.headers.get('retry-after') === '1'),
    ).toBe(true)
    await expectGrantsOnRecord()
  })

  it.each([1, 2, 3])('64 at once on 40 items of 4 orders: 40 distinct items, nobody twice (%i)', async () => {
    const orders = [await propose(10), await propose(10, 5), await propose(10), await propose(10, -5)]
    const answers = await race(64, (who) => who.post('/checkout', {}))
    expect(statuses(answers)).toEqual({ 200: 40, 409: 24 })
    const items = answers.filter((one) => one.status === 200).map((one) => one.body.item)
    expect(new Set(items.map((item) => item.id)).size).toBe(40)
    expect(new Set(items.map((item) => item.lease_token)).size).toBe(40)
    for (const id of orders) expect(items.filter((item) => item.order_id === id)).toHaveLength(10)
    // The holder on record is who was told so: answers of one statement never get mixed up.
    for (const [n, answer] of answers.entries()) {
      if (answer.status !== 200) continue
      const [row] = await here.database.sql('select leased_by_agent_id as agent, lease_token as token from wm.items where id = $1', [
        answer.body.item.id,
      ])
      expect(row).toEqual({ agent: agent(n).id, token: answer.body.item.lease_token })
    }
    await expectGrantsOnRecord()
  })

  it('an item that somebody is just writing is passed over, not waited for, and never granted a second time', async () => {
    const orderId = await propose(1)
    forged.push(orderId)
    const [item] = await here.database.sql<{ id: string }>('select id from wm.items where order_id = $1', [orderId])
    const gate = await closeGate(
      here.database,
      `update wm.items set state = 'leased', attempts = 1, generation = 1, lease_token = 'wl.1.1.x', leased_by_agent_id = 'x', leased_by_principal = 'agent:x',
         lease_expires_at = clock_timestamp() + interval '1 minute' where id = $1`,
      [item!.id],
    )
    expect((await agent(0).post(`/orders/${orderId}/checkout`)).status).toBe(409)
    await gate.open()
    expect((await agent(0).post(`/orders/${orderId}/checkout`)).status).toBe(409)
    expect(await here.database.sql('select attempts, lease_token from wm.items where id = $1', [item!.id])).toEqual([
      { attempts: 1, lease_token: 'wl.1.1.x' },
    ])
    await here.database.sql(
      `update wm.items set state = 'cancelled', attempts = 0, generation = 0, lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null where id = $1`,
      [item!.id],
    )
  })

  it.each([1, 2, 3, 4, 5])('a cancel among 32 checkouts: no lease outlives it (%i)', async () => {
    const orderId = await propose(32)
    const gate = await holdOrder(here.database, orderId)
    const first = race(16, (who) => who.post(`/orders/${orderId}/checkout`))
    await gate.waiting(1)
    const cancelled = rita.post(`/orders/${orderId}/cancel`, { reason: 'Not needed.' })
    await gate.waiting(2)
    const second = race(16, (who) => who.post(`/orders/${orderId}/checkout`))
    await gate.open()
    expect((await cancelled).status).toBe(200)
    const answers = [...(await first), ...(await second)]
    for (const { status, text } of answers) expect([200, 409], text).toContain(status)
    const states = await here.database.sql('select distinct state, lease_token is not null as leased from wm.items where order_id = $1', [
      orderId,
    ])
    expect(states).toEqual([{ state: 'cancelled', leased: false }])
    expect((await rita.get(`/orders/${orderId}`)).body.order.state).toBe('cancelled')
    const late = await here.database.sql(
      `select 1 from record e where e.order_id = $1 and e.kind = 'item.leased' and e.position > (select c.position from record c where c.order_id = $1 and c.kind = 'order.cancelled')`,
      [orderId],
    )
    expect(late).toEqual([])
    // Whoever got an item before the cancel hears of it.
    const granted = answers.flatMap((answer, n) => (answer.status === 200 ? [{ who: agent(n % 16), item: answer.body.item }] : []))
    for (const { who, item } of granted) {
      const submit = await who.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: essay })
      expect(submit).toMatchObject({ status: 409, body: { code: 'lease_lost', reason: 'cancelled' } })
    }
    await expectGrantsOnRecord()
  })
})

describe('the last of many submits moves the order', () => {
  it.each([1, 2, 3, 4, 5])('32 at once through two processes: submitted once, counted right (%i)', async () => {
    const orderId = await propose(32)
    const leases = await race(32, (who) => who.post(`/orders/${orderId}/checkout`))
    expect(statuses(leases)).toEqual({ 200: 32 })
    const gate = await holdOrder(here.database, orderId)
    const racing = race(32, (who, n) => {
      const { item } = leases[n]!.body
      return who.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: essay })
    })
    await gate.waiting(2)
    await gate.open()
    const answers = await racing
    expect(statuses(answers)).toEqual({ 202: 32 })
    const { order } = (await rita.get(`/orders/${orderId}`)).body
    expect(order).toMatchObject({ state: 'submitted', items_total: 32, items_submitted: 32 })
    const kinds = await here.database.sql<{ kind: string; n: number }>(
      `select kind, count(*)::int as n from record where order_id = $1 and kind in ('order.in_progress', 'order.submitted', 'item.submitted', 'item.in_progress') group by kind order by kind`,
      [orderId],
    )
    // Straight from leased to submitted: every item passes through in_progress. The order need not, if one statement took all.
    expect(kinds.filter((one) => one.kind !== 'order.in_progress')).toEqual([
      { kind: 'item.in_progress', n: 32 },
      { kind: 'item.submitted', n: 32 },
      { kind: 'order.submitted', n: 1 },
    ])
    expect(kinds.find((one) => one.kind === 'order.in_progress')?.n ?? 0).toBeLessThanOrEqual(1)
    // At least one answer says so, and those that say so are of the last statement.
    expect(answers.filter((one) => one.body.order_state === 'submitted').length).toBeGreaterThanOrEqual(1)
  })

  it('submits, a fail and a part of the same order at once: the counters say what the items say', async () => {
    const orderId = await propose(12)
    const leases = await race(12, (who) => who.post(`/orders/${orderId}/checkout`))
    const gate = await holdOrder(here.database, orderId)
    const racing = race(12, (who, n) => {
      const { item } = leases[n]!.body
      const token = { lease_token: item.lease_token }
      if (n % 4 === 0) return who.post(`/items/${item.id}/fail`, { ...token, class: 'agent', error: { code: 'no', message: 'No.' } })
      if (n % 4 === 1) return who.post(`/items/${item.id}/parts`, { ...token, part_key: 'body', payload: essay.body })
      if (n % 4 === 2) return who.post(`/items/${item.id}/release`, token)
      return who.post(`/items/${item.id}/submit`, { ...token, result: essay })
    })
    await gate.waiting(2)
    await gate.open()
    expect(statuses(await racing)).toEqual({ 200: 6, 202: 6 })
    const [row] = await here.database.sql(
      `select o.state, o.items_submitted, (select count(*)::int from wm.items i where i.order_id = o.id and i.state = 'submitted') as submitted,
              (select count(*)::int from wm.items i where i.order_id = o.id and i.state = 'in_progress') as working from wm.orders o where o.id = $1`,
      [orderId],
    )
    expect(row).toEqual({ state: 'in_progress', items_submitted: 3, submitted: 3, working: 3 })
  })
})

it('one statement with two hand-ins that cannot both stand: the neighbours are answered as if alone', async () => {
  const orderId = await propose(6)
  const one = agent(0)
  const items = await here.database.sql<{ id: string; tenant_id: string }>(
    'select id, tenant_id from wm.items where order_id = $1 order by ordinal',
    [orderId],
  )
  const leases: { id: string; lease_token: string }[] = []
  for (let n = 0; n < items.length; n++) leases.push((await one.post(`/orders/${orderId}/checkout`)).body.item)
  // Straight into the hot path, in one turn of the event loop: one statement.
  const handIn = (n: number, key: string | null) =>
    here.manager.tools.hotPath.submit({
      tenantId: items[0]!.tenant_id,
      principal: `agent:${one.id}`,
      agentId: one.id,
      actorType: 'agent',
      actorId: one.id,
      requestId: `request-${n}`,
      provenanceId: randomUUID(),
      traceId: null,
      traceparent: null,
      itemId: leases[n]!.id,
      token: n === 5 ? 'wl.1.9.AAAAAAAAAAAAAAAAAAAAAA' : leases[n]!.lease_token,
      result: essay,
      evidence: null,
      notes: null,
      digest: 'sha256:x',
      assembledParts: null,
      idempotency: key === null ? null : { keyHash: Buffer.from(key), fingerprint: Buffer.from(`request ${n}`) },
    })
  // Two of them use one key for two items: together they break its uniqueness, and the statement fails as a whole.
  const answers = await Promise.all([
    handIn(0, null),
    handIn(1, 'same'),
    handIn(2, 'same'),
    handIn(3, 'other'),
    handIn(4, null),
    handIn(5, 'stale'),
  ])
  expect(answers.map((answer) => answer.kind)).toEqual(['done', 'done', 'mismatch', 'done', 'done', 'refused'])
  expect((await rita.get(`/orders/${orderId}`)).body.order).toMatchObject({ items_submitted: 4, state: 'in_progress' })
})

it('after all of this, the record tells how every row came to be what it is', async () => {
  expect(await contradictionsIn(here.database, forged)).toEqual([])
})

it('what one process wrote, the other reads at once', async () => {
  const elsewhere = createCaller(there.url, rita.key, rita.id)
  const orderId = await propose(1)
  const stateElsewhere = async () => (await elsewhere.get(`/orders/${orderId}`)).body.order.state
  expect(await stateElsewhere()).toBe('queued')
  const { item } = (await agent(0).post(`/orders/${orderId}/checkout`)).body
  expect(await stateElsewhere()).toBe('checked_out')
  expect((await agent(1).post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: essay })).status).toBe(202)
  expect(await stateElsewhere()).toBe('submitted')
})
