/**
 * Stories of pause, resume and list_pauses.
 * The kill switch: what a pause stops, what it leaves alone, and that nothing of its scope happens after its answer, however close the race.
 */
import Type from 'typebox'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { closeGate, holdItem, holdOrder } from '../../../testing/row-gate.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { type Caller, createCaller, startTestServer, type TestServer } from '../../../testing/test-server.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'
import { pauseEverything, resumeEverything } from './pausing.ts'

/** A gate in the type's own code: opened by the test. */
function makeGate(): { reached: Promise<void>; passes: Promise<void>; reach(): void; open(): void } {
  let reach!: () => void
  let open!: () => void
  const reached = new Promise<void>((resolve) => (reach = resolve))
  const passes = new Promise<void>((resolve) => (open = resolve))
  return { reached, passes, reach, open }
}
let applyGate: ReturnType<typeof makeGate> | null = null
let sendGate: ReturnType<typeof makeGate> | null = null
let applied: string[] = []
let sent: string[] = []
const worldType = defineOrderType({
  type: 'test.world',
  payload: Type.Object({ message: Type.String() }),
  result: Type.Object({ done: Type.Boolean() }),
  async apply(context) {
    applied.push(context.order.id)
    applyGate?.reach()
    await applyGate?.passes
    await context.records.put('world', context.order.id, true)
    context.effect('send', { order: context.order.id })
    return context.diff({}, { done: true }, 'done')
  },
  effects: {
    send: {
      deduplicates: true,
      async run(_input, { orderId }) {
        sent.push(orderId)
        sendGate?.reach()
        await sendGate?.passes
        return {}
      },
    },
  },
})
const selfType = defineOrderType({
  type: 'test.self',
  payload: Type.Object({ message: Type.String() }),
  result: Type.Object({ done: Type.Boolean() }),
  autoApprove: true,
  canApprove: () => [],
  apply: (context) => context.diff({}, {}, 'done'),
})

let story: Story
let there: TestServer
let ann: Caller
let ben: Caller
let tenant: string
const types = [essayType, worldType, selfType]
const config = { approval: { wait_ms: 0 }, database: { max_connections: 12 } }
beforeAll(async () => {
  story = await startStory({ types, config })
  there = await startTestServer({ types, config, background: false, database: story.server.database })
  ann = await story.server.caller('agent', 'ann')
  ben = await story.server.caller('agent', 'ben')
  tenant = (await story.server.manager.tenants.ensure('acme', 'acme')).id
})
afterAll(async () => {
  await there.stop()
  await story.server.stop()
})
beforeEach(() => {
  applied = []
  sent = []
})
afterEach(async () => {
  applyGate?.open()
  sendGate?.open()
  applyGate = sendGate = null
  await story.server.database.sql('delete from wm.pauses')
  await story.server.database
    .sql(`update wm.items set state = 'cancelled', lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null
    where state in ('queued', 'leased', 'in_progress')`)
  await story.server.run('applier')
  await story.server.run('effect-runner')
})

const elsewhere = (who: Caller): Caller => createCaller(there.url, who.key, who.id)
const essays = async (n: number): Promise<string> =>
  (await story.propose({ titles: Array.from({ length: n }, (_, i) => `${i}`) }, { type: 'test.essay' })).id
const take = (who: Caller, body: object = {}) => who.post('/checkout', body, { key: null })
const pause = async (target: object, reason = 'it misbehaves') => {
  const answer = await story.reviewer.post('/pauses', { ...target, reason }, { key: null })
  expect(answer.status, answer.text).toBe(200)
  return answer.body
}
const resume = (target: object) => story.reviewer.post('/pauses/lift', { ...target, reason: 'it is well again' })
const tenantEvents = (kind: string) =>
  story.server.database.sql<{ payload: any; principal: string }>(
    `select payload, principal from record where tenant_id = $1 and kind = $2 order by position`,
    [tenant, kind],
  )
const leases = () =>
  story.server.database.sql<{ agent: string }>(`select leased_by_agent_id as agent from wm.items where leased order by 1`)

describe('a paused agent', () => {
  it('loses its leases and is refused everything but reading, at every process, with the reason; others go on', async () => {
    const order = await essays(6)
    const [first, second] = [(await take(ann)).body.item, (await take(ann)).body.item]
    const bens = (await take(ben)).body.item
    const answer = await pause({ agent: 'ann' })
    expect(answer).toMatchObject({
      pause: { scope: 'agent', subject: 'ann', principal: 'person:rita' },
      leases_ended: 2,
      effects_running: 0,
    })
    expect(await leases()).toEqual([{ agent: 'ben' }])

    const token = { lease_token: first.lease_token }
    for (const who of [ann, elsewhere(ann)])
      for (const asked of [
        who.post(`/items/${first.id}/heartbeat`, token, { key: null }),
        who.post(`/items/${first.id}/submit`, { ...token, result: essay }),
        who.post(`/items/${second.id}/parts`, { lease_token: second.lease_token, part_key: 'body', payload: essay.body }),
        who.post(`/items/${first.id}/fail`, { ...token, class: 'agent', error: { code: 'x', message: 'x' } }),
        who.post(`/items/${first.id}/release`, token),
        take(who),
        take(who, { type: 'test.essay' }),
        who.post(`/orders/${order}/checkout`, {}, { key: null }),
        who.post('/propose', { type: 'test.essay', payload: { titles: ['more'] } }),
      ]) {
        const { status, body, headers } = await asked
        expect({ status, code: body.code, detail: body.detail, paused: body.paused?.scope }).toEqual({
          status: 409,
          code: 'paused',
          detail: expect.stringMatching(/^Agent 'ann' is paused since .*: it misbehaves$/),
          paused: 'agent',
        })
        expect(body.fix).toContain('Stop working')
        expect(headers.get('retry-after')).toBe('30')
      }
    expect((await ann.get(`/orders/${order}`)).status).toBe(200)
    expect((await ben.post(`/items/${bens.id}/heartbeat`, { lease_token: bens.lease_token }, { key: null })).status).toBe(200)
    expect((await take(ben)).status).toBe(200)
    const stranger = await story.server.caller('agent', 'ann', { tenant: 'globex' })
    expect((await take(stranger)).body.code).toBe('no_items_available')

    expect((await story.events(order, 'item.lease_revoked')).map(({ payload }) => [payload.agent_id, payload.reason])).toEqual([
      ['ann', 'Paused: it misbehaves'],
      ['ann', 'Paused: it misbehaves'],
    ])
    expect((await tenantEvents('pause.set')).at(-1)).toMatchObject({
      principal: 'person:rita',
      payload: { scope: 'agent', subject: 'ann', reason: 'it misbehaves' },
    })
    expect((await story.reviewer.get('/pauses')).body.pauses).toMatchObject([{ scope: 'agent', subject: 'ann', reason: 'it misbehaves' }])

    expect((await resume({ agent: 'ann' })).body.lifted).toMatchObject({ subject: 'ann' })
    expect((await tenantEvents('pause.lifted')).at(-1)).toMatchObject({ payload: { subject: 'ann', paused_by: 'person:rita' } })
    expect((await take(ann)).status).toBe(200)
    const late = await ann.post(`/items/${first.id}/submit`, { ...token, result: essay })
    expect([late.status, late.body.code]).toEqual([409, 'lease_lost'])
  })

  it('may be a principal, which covers every agent id that it names', async () => {
    await essays(3)
    const one = await story.proposer.post('/checkout', {}, { key: null, headers: { 'x-agent-id': 'crm-worker-1' } })
    expect(one.status).toBe(200)
    expect((await pause({ agent: 'service:crm' })).leases_ended).toBe(1)
    for (const id of ['crm-worker-1', 'crm-worker-2']) {
      const answer = await story.proposer.post('/checkout', {}, { key: null, headers: { 'x-agent-id': id } })
      expect(answer.body.code).toBe('paused')
    }
    expect((await take(ann)).status).toBe(200)
  })

  it('that waits for an item hears of it when the wait is over, and gets one when the pause is lifted before', async () => {
    await essays(1)
    await pause({ agent: 'ann' })
    const waiting = take(ann, { wait: 20 })
    await resume({ agent: 'ann' })
    expect((await waiting).status).toBe(200)
  })
})

describe('a paused type', () => {
  it('is not leased by any checkout, while other types are; proposals and approvals are taken and wait', async () => {
    const order = await essays(3)
    const { item } = (await take(ann, { type: 'test.essay' })).body
    expect(await pause({ type: 'test.essay' })).toMatchObject({ leases_ended: 1 })
    const beat = await ann.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null })
    expect(beat.body).toMatchObject({ code: 'paused', paused: { scope: 'type', subject: 'test.essay' } })
    expect((await take(ann, { type: 'test.essay' })).body.code).toBe('paused')
    expect((await ann.post(`/orders/${order}/checkout`, {}, { key: null })).body.code).toBe('paused')
    expect((await take(ann)).body.code).toBe('no_items_available')
    const other = await story.propose({ messages: ['hi'] })
    expect((await take(ann)).body.item.order_id).toBe(other.id)
    expect((await ann.post('/propose', { type: 'test.essay', payload: { titles: ['later'] } })).status).toBe(201)
    await resume({ type: 'test.essay' })
    expect((await take(ann, { type: 'test.essay' })).body.item.order_id).toBe(order)
  })

  it('is neither approved by itself nor applied nor sent, and all of it happens once it is resumed', async () => {
    const self = await story.propose({ message: 'a' }, { type: 'test.self' })
    await story.submit(await story.take(self.id), { done: true })
    const world = await story.propose({ message: 'a' }, { type: 'test.world' })
    await story.submit(await story.take(world.id), { done: true })
    await pause({ type: 'test.self' })
    await pause({ type: 'test.world' })
    expect((await story.reviewer.post(`/orders/${world.id}/approve`)).status).toBe(202)
    await story.server.run('auto-approver')
    await story.server.run('applier')
    expect([(await story.order(self.id)).state, (await story.order(world.id)).state]).toEqual(['submitted', 'approved'])
    expect(applied).toEqual([])
    await resume({ type: 'test.world' })
    await story.server.run('applier')
    expect((await story.order(world.id)).state).toBe('completed')
    await pause({ type: 'test.world' })
    await story.server.run('effect-runner')
    expect(sent).toEqual([])
    await resume({ type: 'test.world' })
    await resume({ type: 'test.self' })
    await story.server.run('effect-runner')
    await story.server.run('auto-approver')
    expect([sent, (await story.order(self.id)).state]).toEqual([[world.id], 'approved'])
  })
})

describe('a paused tenant', () => {
  it('stands still, and the other one does not notice', async () => {
    await essays(2)
    await take(ann)
    await pause({ all: true })
    expect(await leases()).toEqual([])
    expect((await take(ann)).body).toMatchObject({ code: 'paused', paused: { scope: 'tenant' } })
    const crm = await story.server.caller('service', 'crm', { tenant: 'globex' })
    const gus = await story.server.caller('agent', 'gus', { tenant: 'globex' })
    expect((await crm.post('/propose', { type: 'test.essay', payload: { titles: ['x'] } })).status).toBe(201)
    expect((await take(gus)).status).toBe(200)
    const rita = await story.server.caller('person', 'gita', { tenant: 'globex' })
    expect((await rita.get('/pauses')).body.pauses).toEqual([])
    expect((await rita.post('/pauses/lift', { all: true, reason: 'mine' })).status).toBe(404)
  })
})

describe('everything', () => {
  it('stops all tenants, stands on the record of each, and is lifted for all', async () => {
    const { tools } = there.manager
    const by = { reason: 'the model went wrong', principal: 'system:command-line (test)' }
    const crm = await story.server.caller('service', 'crm', { tenant: 'globex' })
    const gus = await story.server.caller('agent', 'gus2', { tenant: 'globex' })
    await crm.post('/propose', { type: 'test.essay', payload: { titles: ['x', 'y', 'z'] } })
    await essays(2)
    expect([(await take(ann)).status, (await take(gus)).status]).toEqual([200, 200])
    try {
      expect((await pauseEverything(tools, by)).leasesEnded).toBe(2)
      expect(await leases()).toEqual([])
      for (const who of [ann, gus, elsewhere(ben)])
        expect((await take(who)).body).toMatchObject({ code: 'paused', paused: { scope: 'everything', reason: by.reason } })
      expect((await story.reviewer.get('/pauses')).body.pauses).toMatchObject([{ scope: 'everything', reason: by.reason }])
    } finally {
      expect(await resumeEverything(tools, by)).toBe(true)
    }
    expect(await resumeEverything(tools, by)).toBe(false)
    const events = await story.server.database.sql<{ n: number }>(
      `select count(*)::int as n from record where kind in ('pause.set', 'pause.lifted') and payload ->> 'scope' = 'everything' group by tenant_id`,
    )
    expect(events.map(({ n }) => n)).toEqual([2, 2])
    expect([(await take(ann)).status, (await take(gus)).status]).toEqual([200, 200])
  })
})

describe('the race with a pause', () => {
  /** The lock of the pauses, held like a pause that is just being set: whoever looks at the pauses waits in front of it. */
  const beingPaused = () =>
    closeGate(story.server.database, `select pg_advisory_xact_lock(hashtextextended('wm.pauses|' || $1::text, 0))`, [tenant])
  const setPause = (type: string): [string, unknown[]] => [
    `insert into wm.pauses values ($1, 'type', $2, 'race', 'person:rita', clock_timestamp())`,
    [tenant, type],
  ]

  it('a checkout that waits for an order when the pause comes: the lease that it gets has ended before the answer', async () => {
    const order = await essays(2)
    const gate = await holdOrder(story.server.database, order)
    const before = elsewhere(ann).post(`/orders/${order}/checkout`, {}, { key: null })
    await gate.waiting(1)
    const paused = pause({ type: 'test.essay' })
    await gate.waiting(2)
    const after = ann.post(`/orders/${order}/checkout`, {}, { key: null })
    await gate.waiting(3)
    await gate.open()
    expect((await paused).leases_ended).toBe(1)
    expect(await leases()).toEqual([])
    const { item } = (await before).body
    expect((await ann.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null })).body.code).toBe('paused')
    expect((await after).body.code).toBe('paused')
  })

  it.each([1, 2, 3])(
    '32 checkouts through two processes around a pause of the agent: none of its leases outlives the answer (%i)',
    async () => {
      await essays(40)
      const asked = Array.from({ length: 16 }, (_, n) => take(n % 2 === 0 ? ann : elsewhere(ann)))
      const paused = pause({ agent: 'ann' })
      asked.push(...Array.from({ length: 16 }, (_, n) => take(n % 2 === 0 ? ann : elsewhere(ann))))
      await paused
      expect(await leases()).toEqual([])
      const answers = await Promise.all(asked)
      expect(await leases()).toEqual([])
      for (const { status, body } of answers) if (status !== 200) expect(body.code).toBe('paused')
    },
  )

  const approved = async (): Promise<string> => {
    const { id } = await story.propose({ message: 'a' }, { type: 'test.world' })
    await story.submit(await story.take(id), { done: true })
    expect((await story.reviewer.post(`/orders/${id}/approve`)).status).toBe(202)
    return id
  }
  const recorded = async (id: string): Promise<boolean> =>
    (await story.server.database.sql('select 1 from wm.records where key = $1', [id])).length > 0

  it('an apply that runs when the pause comes commits nothing after the answer, and is done once after the resume', async () => {
    const id = await approved()
    applyGate = makeGate()
    const running = there.run('applier')
    await applyGate.reached
    await pause({ type: 'test.world' })
    applyGate.open()
    expect(await running).toBe(0)
    expect([(await story.order(id)).state, await recorded(id)]).toEqual(['approved', false])
    expect(await story.server.run('applier')).toBe(0)
    expect(applied).toHaveLength(1)
    await resume({ type: 'test.world' })
    expect(await story.server.run('applier')).toBe(1)
    expect([(await story.order(id)).state, await recorded(id)]).toEqual(['completed', true])
    expect(await story.events(id, 'order.apply_failed')).toEqual([])
  })

  it('an apply that is just being committed is waited for: the answer comes after it', async () => {
    const id = await approved()
    const [item] = await story.server.database.sql<{ id: string }>('select id from wm.items where order_id = $1', [id])
    const gate = await holdItem(story.server.database, item!.id)
    const running = there.run('applier')
    await gate.waiting(1)
    let answered = false
    const paused = pause({ type: 'test.world' }).then(() => (answered = true))
    await gate.waiting(2)
    expect(answered).toBe(false)
    await gate.open()
    await paused
    expect(await running).toBe(1)
    expect((await story.order(id)).state).toBe('completed')
  })

  it('an apply at its end that meets the pause being set gives way', async () => {
    const id = await approved()
    applyGate = makeGate()
    const running = there.run('applier')
    await applyGate.reached
    const gate = await beingPaused()
    applyGate.open()
    await gate.waiting(1)
    await gate.sql(...setPause('test.world'))
    await gate.open()
    expect(await running).toBe(0)
    expect([(await story.order(id)).state, await recorded(id)]).toEqual(['approved', false])
  })

  it('an effect that is about to be taken is not sent; one that is on its way is told', async () => {
    const [one, two] = [await approved(), await approved()]
    expect(await story.server.run('applier')).toBe(2)
    const gate = await beingPaused()
    const looking = there.run('effect-runner')
    await gate.waiting(1)
    await gate.sql(...setPause('test.world'))
    await gate.open()
    await looking
    expect(sent).toEqual([])

    await resume({ type: 'test.world' })
    sendGate = makeGate()
    const running = there.run('effect-runner')
    await sendGate.reached
    // Waits for it as long as it reasonably can, then says that one is out; the next one stays.
    expect((await pause({ type: 'test.world' })).effects_running).toBe(1)
    sendGate.open()
    await running
    expect(sent).toHaveLength(1)
    await story.server.run('effect-runner')
    expect(sent).toHaveLength(1)
    await resume({ type: 'test.world' })
    await story.server.run('effect-runner')
    expect(sent.toSorted()).toEqual([one, two].toSorted())
  })

  it('an effect that ends soon is waited for', async () => {
    await approved()
    await story.server.run('applier')
    sendGate = makeGate()
    const running = there.run('effect-runner')
    await sendGate.reached
    const paused = pause({ type: 'test.world' })
    sendGate.open()
    expect((await paused).effects_running).toBe(0)
    await running
  })
})

describe('refused', () => {
  it.each([
    ['nothing named', {}],
    ['two named', { agent: 'ann', type: 'test.essay' }],
    ['all: false', { all: false }],
  ])('%s', async (_, target) => {
    for (const path of ['/pauses', '/pauses/lift']) {
      const { status, body } = await story.reviewer.post(path, { ...target, reason: 'x' })
      expect([status, body.code]).toEqual([422, 'validation_failed'])
      expect(body.detail).toContain('exactly one')
    }
  })

  it('without a reason, for an unknown type, by an agent, without the ability, and what is not paused', async () => {
    expect((await story.reviewer.post('/pauses', { agent: 'ann' })).body.code).toBe('validation_failed')
    const typo = await story.reviewer.post('/pauses', { type: 'test.esay', reason: 'x' })
    expect([typo.body.code, typo.body.detail + typo.body.fix]).toEqual(['order_type_not_found', expect.stringContaining('test.essay')])
    const agent = await story.server.caller('agent', 'zoe', { abilities: ['admin:*'] })
    expect((await agent.post('/pauses', { agent: 'ann', reason: 'x' })).body.code).toBe('agents_cannot_decide')
    const person = await story.server.caller('person', 'pia', { abilities: ['work:*'] })
    expect((await person.post('/pauses', { agent: 'ann', reason: 'x' })).body.code).toBe('scope_missing')
    const lift = await resume({ agent: 'nobody' })
    expect([lift.status, lift.body.detail]).toEqual([404, "The agent 'nobody' is not paused."])
    expect((await story.reviewer.get('/pauses')).body.pauses).toEqual([])
  })

  it('said twice it is in force once, since the first time, for the last reason', async () => {
    const first = await pause({ agent: 'ann' }, 'one')
    const second = await pause({ agent: 'ann' }, 'two')
    expect(second.pause).toEqual({ ...first.pause, reason: 'two' })
    expect((await story.reviewer.get('/pauses')).body.pauses).toEqual([second.pause])
  })
})
