/** Stories of approve_order, reject_order, cancel_order and requeue_order: who may decide what, on which content. */
import pg from 'pg'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Caller, until } from '../../../testing/test-server.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'
import { startStory, type Story, whileApplying } from '../../../testing/story.ts'

const openHouse = defineOrderType({
  type: 'test.open-house',
  payload: Type.Object({ messages: Type.Array(Type.String()) }),
  input: Type.Object({ message: Type.String() }),
  result: Type.Object({ echoed: Type.String(), ok: Type.Boolean() }),
  plan: ({ payload }) => payload.messages.map((message) => ({ input: { message } })),
  apply: (context) => context.diff({}, {}),
  duties: { selfApproval: 'allow' },
})

let story: Story
let other: Caller
beforeAll(async () => {
  story = await startStory({ types: [openHouse] })
  other = await story.server.caller('person', 'otto')
})
afterAll(() => story.server.stop())

const full = async (messages = ['hi'], type = 'test.echo') => {
  const order = await story.propose({ messages }, { type })
  await story.fill(order.id)
  return order
}
const state = async (id: string) => (await story.order(id)).state
const reject = (id: string, body: object, who = story.reviewer) =>
  who.post(`/orders/${id}/reject`, { errors: [{ code: 'wrong', message: 'Not good.' }], ...body })

describe('approve', () => {
  it('applies, and answers with the diff and the completed order', async () => {
    const order = await full()
    const answer = await story.approve(order.id)
    expect(answer.status, answer.text).toBe(200)
    expect(answer.body).toMatchObject({ order: { state: 'completed' }, diff: { after: { messages: ['hi'] }, summary: 'Echoed 1' } })
    expect(answer.body.order.applied_at).not.toBeNull()
    const [event] = await story.events(order.id, 'order.approved')
    expect(event).toMatchObject({ actor_type: 'user', actor_id: 'rita' })
  })

  it('refuses while work is open, in every wrong state, and when the type says that it is not ready', async () => {
    const open = await story.propose({ messages: ['a', 'b'] })
    const early = await story.reviewer.post(`/orders/${open.id}/approve`)
    expect([early.status, early.body.code]).toEqual([409, 'not_ready_for_approval'])
    expect(early.body.detail).toContain('2 of its items are not handed in')

    const notOk = await story.propose()
    await story.submit(await story.take(notOk.id), { echoed: 'hi', ok: false })
    const judged = await story.reviewer.post(`/orders/${notOk.id}/approve`)
    expect([judged.status, judged.body.code]).toEqual([409, 'not_ready_for_approval'])
    expect(judged.body.error_list).toMatchObject([{ field: 'items.0.ok', code: 'not_ok' }])
    expect(await state(notOk.id)).toBe('submitted')

    const done = await full()
    await story.approve(done.id)
    const second = await story.reviewer.post(`/orders/${done.id}/approve`)
    expect([second.status, second.body.code, second.body.current_state]).toEqual([409, 'illegal_state_transition', 'completed'])
  })

  it('binds to the digest that the reviewer saw: a new submission in between is refused', async () => {
    const order = await full()
    const { digest } = await story.order(order.id)
    const item = (await story.order(order.id)).items[0]
    await reject(order.id, { allow_rework: true })
    const again = await story.take(order.id)
    await story.agent.post(`/items/${item.id}/submit`, {
      lease_token: again.lease_token,
      result: { echoed: 'hi', ok: true },
      notes: 'second thoughts',
    })
    const stale = await story.reviewer.post(`/orders/${order.id}/approve`, { digest })
    expect([stale.status, stale.body.code]).toEqual([412, 'content_changed'])
    const now = await story.order(order.id)
    expect(stale.body.digest).toBe(now.digest)
    expect(now.digest).not.toBe(digest)
    expect((await story.approve(order.id, story.reviewer, { digest: now.digest })).status).toBe(200)
  })

  it.each([
    ['meta', `meta = '{"account": "another"}'`],
    ['priority', 'priority = 7'],
    ['payload', `payload = '{"messages": ["another"]}'`],
    ['type version', 'type_version = 2'],
  ])('binds to everything that apply is given: with another %s nothing is decided, and nothing decided is applied', async (_, change) => {
    const seen = await full()
    const { digest } = await story.order(seen.id)
    await story.server.database.sql(`update wm.orders set ${change} where id = $1`, [seen.id])
    const stale = await story.reviewer.post(`/orders/${seen.id}/approve`, { digest })
    expect([stale.status, stale.body.code]).toEqual([412, 'content_changed'])
  })

  it('asks for the digest where the server is set so', async () => {
    const strict = await startStory({ config: { approval: { require_digest: true } } })
    try {
      const order = await strict.propose()
      await strict.fill(order.id)
      expect((await strict.reviewer.post(`/orders/${order.id}/approve`)).body.code).toBe('digest_required')
      expect((await strict.approve(order.id, strict.reviewer, { digest: (await strict.order(order.id)).digest })).status).toBe(200)
    } finally {
      await strict.server.stop()
    }
  })

  it('replays the answer of the same key', async () => {
    const order = await full()
    const send = () => story.reviewer.post(`/orders/${order.id}/approve`, {}, { key: `approve-${order.id}` })
    const a = await whileApplying(story.server, send())
    const b = await send()
    expect(b.text).toBe(a.text)
    expect(await story.events(order.id, 'order.applied')).toHaveLength(1)
  })
})

describe('separation of duties', () => {
  const person = (id: string) => story.server.caller('person', id)

  it('refuses the proposer, whoever held or handed in an item, agents and services; another person may', async () => {
    const paula = await person('paula')
    const sam = await person('sam')
    const hanna = await person('hanna')
    const order = (await paula.post('/propose', { type: 'test.echo', payload: { messages: ['a', 'b'] } })).body.order
    await story.submit(await story.take(order.id, sam), undefined, sam)
    const held = await story.take(order.id, hanna)
    await hanna.post(`/items/${held.id}/release`, { lease_token: held.lease_token })
    await story.fill(order.id)

    for (const [who, conflict] of [
      [paula, 'proposed'],
      [sam, 'handed in work'],
      [hanna, 'held'],
    ] as const) {
      const answer = await who.post(`/orders/${order.id}/approve`)
      expect([answer.status, answer.body.code], answer.text).toEqual([403, 'separation_of_duties'])
      expect(answer.body.detail).toContain(conflict)
    }
    for (const kind of ['agent', 'service'] as const) {
      const who = await story.server.caller(kind, `deciding-${kind}`, { abilities: ['*'] })
      for (const verb of ['approve', 'reject', 'requeue']) {
        const answer = await who.post(
          `/orders/${order.id}/${verb}`,
          verb === 'reject' ? { errors: [{ code: 'x', message: 'x' }] } : verb === 'requeue' ? { reason: 'x' } : {},
        )
        expect([answer.status, answer.body.code], `${kind} ${verb}`).toEqual([403, 'agents_cannot_decide'])
      }
    }
    expect(await state(order.id)).toBe('submitted')
    expect((await story.approve(order.id, other)).status).toBe(200)
  })

  it('remembers who handed in an earlier revision', async () => {
    const sam = await person('sam-earlier')
    const order = await story.propose()
    await story.submit(await story.take(order.id, sam), undefined, sam)
    await reject(order.id, { allow_rework: true })
    await story.fill(order.id)
    expect((await sam.post(`/orders/${order.id}/approve`)).body.code).toBe('separation_of_duties')
  })

  it('lets people approve their own order where the type allows it, and still no agent', async () => {
    const paula = await person('paula-self')
    const order = (await paula.post('/propose', { type: 'test.open-house', payload: { messages: ['a'] } })).body.order
    await story.fill(order.id)
    const robot = await story.server.caller('agent', 'robot', { abilities: ['*'] })
    expect((await robot.post(`/orders/${order.id}/approve`)).body.code).toBe('agents_cannot_decide')
    expect((await story.approve(order.id, paula)).status).toBe(200)
  })

  it('needs the ability, whatever kind of key it is', async () => {
    const order = await full()
    const guest = await story.server.caller('person', 'guest', { abilities: ['work:view'] })
    for (const verb of ['approve', 'reject', 'cancel', 'requeue'])
      expect((await guest.post(`/orders/${order.id}/${verb}`)).body.code, verb).toBe('scope_missing')
  })
})

describe('reject', () => {
  it('without rework ends the order visibly; a requeue with a reason revives it', async () => {
    const order = await full(['a', 'b'])
    const answer = await reject(order.id, {})
    expect(answer.status, answer.text).toBe(200)
    expect(answer.body.order).toMatchObject({ state: 'rejected', items_submitted: 0, revision: 1 })
    expect((await story.order(order.id)).items.map((item: any) => item.state)).toEqual(['rejected', 'rejected'])
    expect((await reject(order.id, {})).body.code).toBe('illegal_state_transition')
    expect((await story.agent.post(`/orders/${order.id}/checkout`)).body.code).toBe('order_not_open')

    const back = await story.reviewer.post(`/orders/${order.id}/requeue`, { reason: 'changed our mind' })
    expect(back.body.order.state).toBe('queued')
    await story.fill(order.id)
    expect((await story.approve(order.id)).status).toBe(200)
  })

  it('with rework sends the chosen items back with their errors and a fresh budget of attempts, and keeps the others', async () => {
    const order = await full(['a', 'b', 'c'])
    const [a, b, c] = (await story.order(order.id)).items
    const errors = [
      { code: 'typo', message: 'b is misspelt', field: 'echoed', item_id: b.id },
      { code: 'tone', message: 'Be friendlier.' },
    ]
    const answer = await reject(order.id, { errors, allow_rework: true })
    expect(answer.body.order).toMatchObject({ state: 'queued', revision: 2, items_submitted: 2 })
    const after = (await story.order(order.id)).items
    expect(after.map((item: any) => item.state)).toEqual(['submitted', 'queued', 'submitted'])
    expect([after[0].result, after[2].result]).toEqual([a.result, c.result])

    const leased = await story.take(order.id)
    expect(leased.id).toBe(b.id)
    expect(leased.rework).toEqual({ revision: 2, errors })
    expect(leased.attempt).toBe(1)
    expect((await story.submit(leased)).body.order_state).toBe('submitted')
    const history = (await story.reviewer.get(`/items/${b.id}`)).body
    expect(history.submissions).toHaveLength(2)
    expect(history.item.submission_number).toBe(2)
    expect((await story.kinds(order.id)).filter((kind) => /rejected|requeued/.test(kind))).toEqual([
      'order.rejected',
      'item.rejected',
      'item.requeued',
      'order.requeued',
    ])
  })

  it('sends all back by default, and only the named ones when named', async () => {
    const order = await full(['a', 'b'])
    await reject(order.id, { allow_rework: true })
    expect((await story.order(order.id)).items.map((item: any) => item.state)).toEqual(['queued', 'queued'])
    await story.fill(order.id)
    const [first] = (await story.order(order.id)).items
    await reject(order.id, { allow_rework: true, items: [first.id] })
    expect((await story.order(order.id)).items.map((item: any) => item.state)).toEqual(['queued', 'submitted'])
    expect((await story.order(order.id)).revision).toBe(3)
  })

  it('refuses items of another order, no errors, and any other state, and changes nothing', async () => {
    const order = await full()
    const elsewhere = await full()
    const foreign = (await story.order(elsewhere.id)).items[0].id
    const refused = await reject(order.id, { allow_rework: true, items: [foreign] })
    expect([refused.status, refused.body.code]).toEqual([422, 'validation_failed'])
    expect((await reject(order.id, { errors: [] })).body.code).toBe('validation_failed')
    expect((await reject(order.id, { errors: [{ message: 'no code' }] })).body.code).toBe('validation_failed')
    expect((await reject((await story.propose()).id, {})).body.code).toBe('illegal_state_transition')
    expect(await state(order.id)).toBe('submitted')
  })

  it('and approve at the same moment: exactly one of them decides', async () => {
    for (let round = 0; round < 4; round++) {
      const order = await full()
      const gate = new pg.Client({ connectionString: story.server.database.adminUrl })
      await gate.connect()
      await gate.query('begin')
      await gate.query('select 1 from wm.orders where id = $1 for update', [order.id])
      const both = Promise.all([story.reviewer.post(`/orders/${order.id}/approve`), reject(order.id, {}, other)])
      await until(
        async () =>
          Number(
            (
              await story.server.database.sql<{ n: string }>(
                `select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
              )
            )[0]!.n,
          ) >= 2,
        'both wait for the order',
      )
      await gate.query('commit')
      await gate.end()
      const [approved, rejected] = await whileApplying(story.server, both)
      expect([approved.status, rejected.status].sort((a, b) => a - b)).toEqual([200, 409])
      expect((await story.kinds(order.id)).filter((kind) => kind === 'order.approved' || kind === 'order.rejected')).toHaveLength(1)
    }
  })
})

describe('cancel', () => {
  it('ends every lease at once and says so to the holders', async () => {
    const order = await story.propose({ messages: ['a', 'b', 'c'] })
    const held = await story.take(order.id)
    await story.submit(await story.take(order.id))
    const cancelled = await story.proposer.post(`/orders/${order.id}/cancel`, { reason: 'budget' })
    expect(cancelled.body.order.state).toBe('cancelled')
    expect((await story.order(order.id)).items.map((item: any) => [item.state, item.leased_by_agent_id])).toEqual(
      ['a', 'b', 'c'].map(() => ['cancelled', null]),
    )
    for (const [verb, body] of [
      ['heartbeat', {}],
      ['submit', { result: { echoed: held.input.message, ok: true } }],
      ['release', {}],
    ] as const) {
      const late = await story.agent.post(`/items/${held.id}/${verb}`, { lease_token: held.lease_token, ...body })
      expect([late.status, late.body.code, late.body.reason], verb).toEqual([409, 'lease_lost', 'cancelled'])
    }
    expect((await story.agent.post(`/orders/${order.id}/checkout`)).body.code).toBe('order_not_open')
    expect(await story.events(order.id, 'item.cancelled')).toHaveLength(3)
    expect((await story.events(order.id, 'order.cancelled'))[0]!.payload.reason).toBe('budget')
  })

  it('is refused from completed, cancelled and rejected, and without a reason', async () => {
    const done = await full()
    await story.approve(done.id)
    const gone = await story.propose()
    await story.proposer.post(`/orders/${gone.id}/cancel`, { reason: 'x' })
    for (const id of [done.id, gone.id]) {
      const answer = await story.proposer.post(`/orders/${id}/cancel`, { reason: 'x' })
      expect([answer.status, answer.body.code]).toEqual([409, 'illegal_state_transition'])
    }
    expect((await story.proposer.post(`/orders/${(await story.propose()).id}/cancel`)).body.code).toBe('validation_failed')
  })

  it('wins or loses against thirty-two checkouts, but never both: no live lease is left on a cancelled order', async () => {
    const order = await story.propose({ messages: Array.from({ length: 32 }, (_, n) => `m${n}`) })
    await Promise.all([
      ...Array.from({ length: 32 }, () => story.agent.post(`/orders/${order.id}/checkout`)),
      story.proposer.post(`/orders/${order.id}/cancel`, { reason: 'race' }),
    ])
    const states = (await story.order(order.id)).items.map((item: any) => `${item.state} ${item.leased_by_agent_id}`)
    expect(new Set(states)).toEqual(new Set(['cancelled null']))
  })
})

describe('requeue', () => {
  const fileAway = async (messages = ['a']) => {
    const order = await story.propose({ messages })
    const item = await story.take(order.id)
    await story.agent.post(`/items/${item.id}/fail`, {
      lease_token: item.lease_token,
      class: 'permanent',
      error: { code: 'gone', message: 'The page is gone.' },
    })
    await story.server.run('dead-letterer')
    return { order, item }
  }

  it('brings a dead-lettered order back with a reason; generations go on counting, attempts start again', async () => {
    const { order, item } = await fileAway(['a', 'b'])
    expect(await state(order.id)).toBe('dead_lettered')
    expect((await story.reviewer.post(`/orders/${order.id}/requeue`)).body.code).toBe('validation_failed')
    const back = await story.reviewer.post(`/orders/${order.id}/requeue`, { reason: 'the page is back' })
    expect(back.body.order.state).toBe('queued')
    const again = await story.take(order.id)
    expect(again).toMatchObject({ id: item.id, attempt: 1 })
    expect(Number(again.lease_token.split('.')[2])).toBeGreaterThan(Number(item.lease_token.split('.')[2]))
    expect((await story.agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token })).body.code).toBe('lease_lost')
    await story.submit(again)
    await story.fill(order.id)
    expect((await story.approve(order.id)).status).toBe(200)
    expect((await story.events(order.id, 'order.requeued')).at(-1)).toMatchObject({ message: 'the page is back', actor_id: 'rita' })
  })

  it('brings one item back, and its order with it', async () => {
    const { order, item } = await fileAway()
    const back = await story.reviewer.post(`/items/${item.id}/requeue`, { reason: 'again' })
    expect(back.body.item).toMatchObject({ state: 'queued', attempts: 0, error: null })
    expect(await state(order.id)).toBe('queued')
  })

  it('an order of which only some items came back is not stuck: the others can follow', async () => {
    const { order } = await fileAway(['a', 'b'])
    const [a, b] = (await story.order(order.id)).items
    await story.reviewer.post(`/items/${a.id}/requeue`, { reason: 'one' })
    await story.fill(order.id)
    expect(await state(order.id)).toBe('in_progress')
    expect((await story.reviewer.post(`/items/${b.id}/requeue`, { reason: 'two' })).status).toBe(200)
    await story.fill(order.id)
    expect(await state(order.id)).toBe('submitted')
  })

  it('refuses what is not set aside', async () => {
    const order = await story.propose()
    const [item] = (await story.order(order.id)).items
    expect((await story.reviewer.post(`/orders/${order.id}/requeue`, { reason: 'x' })).body.code).toBe('illegal_state_transition')
    expect((await story.reviewer.post(`/items/${item.id}/requeue`, { reason: 'x' })).body.code).toBe('illegal_state_transition')
    const done = await full()
    await story.approve(done.id)
    const [completed] = (await story.order(done.id)).items
    expect((await story.reviewer.post(`/orders/${done.id}/requeue`, { reason: 'x' })).body.code).toBe('illegal_state_transition')
    expect((await story.reviewer.post(`/items/${completed.id}/requeue`, { reason: 'x' })).body.code).toBe('illegal_state_transition')
  })

  it('happens once when two people ask at the same moment', async () => {
    const { order } = await fileAway()
    const answers = await Promise.all([story.reviewer, other].map((who) => who.post(`/orders/${order.id}/requeue`, { reason: 'x' })))
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 409])
    expect((await story.events(order.id, 'item.requeued')).length).toBe(1)
  })
})
