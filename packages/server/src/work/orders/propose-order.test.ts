import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineOrderType } from '../order-types/define-order-type.ts'
import { startStory, type Story } from '../../../testing/story.ts'

const fragile = defineOrderType({
  type: 'test.fragile',
  payload: Type.Object({ wanted: Type.Array(Type.String()), broken: Type.Optional(Type.Boolean()) }),
  input: Type.Object({ name: Type.String() }),
  result: Type.Object({ done: Type.Boolean() }),
  plan({ payload }) {
    if (payload.broken) throw new Error('the catalogue is closed')
    return payload.wanted.map((name) => ({ input: { name } }))
  },
  apply: (context) => context.diff({}, {}),
})

let story: Story
beforeAll(async () => {
  story = await startStory({ types: [fragile] })
})
afterAll(() => story.server.stop())

const orders = async () => Number((await story.server.database.sql<{ n: string }>(`select count(*) as n from wm.orders`))[0]!.n)

describe('propose', () => {
  it('records who asked, plans the items in the order given and starts with two events', async () => {
    const answer = await story.proposer.post('/propose', {
      type: 'test.echo',
      payload: { messages: ['a', 'b'] },
      meta: { batch: 7 },
      priority: -5,
    })
    expect(answer.status, answer.text).toBe(201)
    expect(answer.body).toMatchObject({
      items_count: 2,
      order: {
        type: 'test.echo',
        type_version: 1,
        state: 'queued',
        revision: 1,
        priority: -5,
        items_total: 2,
        items_submitted: 0,
        requested_by_type: 'agent',
        requested_by_id: 'crm',
        meta: { batch: 7 },
      },
    })
    const order = await story.order(answer.body.order.id)
    expect(order.items.map((item: any) => item.input.message)).toEqual(['a', 'b'])
    expect(await story.kinds(order.id)).toEqual(['order.proposed', 'order.planned'])
  })

  it('names the nearest type when the type is not registered, and keeps nothing', async () => {
    const before = await orders()
    const answer = await story.proposer.post('/propose', { type: 'test.ehco', payload: { messages: ['a'] } })
    expect(answer.status).toBe(404)
    expect(answer.body).toMatchObject({ code: 'order_type_not_found', retry: 'never' })
    expect(answer.body.detail).toContain("did you mean 'test.echo'?")
    expect(await orders()).toBe(before)
  })

  it('answers payload errors as a list of coded, anchored findings', async () => {
    const answer = await story.proposer.post('/propose', { type: 'test.echo', payload: { messages: ['a', 3, ''] } })
    expect(answer.status).toBe(422)
    expect(answer.body.code).toBe('payload_invalid')
    expect(answer.body.errors).toBeInstanceOf(Array)
    const { errors } = answer.body as { errors: Array<{ field: string; code: string; message: string }> }
    expect(errors.map((error) => error.field).sort()).toEqual(['messages.1', 'messages.2'])
    for (const error of errors) expect(error.code).toMatch(/^schema\./)
    const missing = await story.proposer.post('/propose', { type: 'test.echo', payload: { message: 'a' } })
    expect(missing.body.errors[0]).toMatchObject({ field: 'messages', code: expect.stringMatching(/^schema\./) })
  })

  it.each([
    ['a payload that is empty', { type: 'test.echo', payload: {} }, 422, 'validation_failed'],
    ['a payload that is no document', { type: 'test.echo', payload: 'x' }, 422, 'validation_failed'],
    ['a priority outside the range', { type: 'test.echo', payload: { messages: ['a'] }, priority: 40_000 }, 422, 'validation_failed'],
    ['an unknown member', { type: 'test.echo', payload: { messages: ['a'] }, prioritty: 1 }, 422, 'validation_failed'],
    ['a plan without items', { type: 'test.fragile', payload: { wanted: [] } }, 422, 'empty_plan'],
    ['a plan that throws', { type: 'test.fragile', payload: { wanted: ['a'], broken: true } }, 422, 'plan_failed'],
  ])('refuses %s and keeps nothing', async (_what, body, status, code) => {
    const before = await orders()
    const answer = await story.proposer.post('/propose', body)
    expect([answer.status, answer.body.code], answer.text).toEqual([status, code])
    expect(await orders()).toBe(before)
  })

  it('tells what the plan threw', async () => {
    const answer = await story.proposer.post('/propose', { type: 'test.fragile', payload: { wanted: ['a'], broken: true } })
    expect(answer.body.detail).toContain('the catalogue is closed')
  })

  it('needs a key, replays the same bytes, and refuses the key for another body', async () => {
    const body = { type: 'test.echo', payload: { messages: ['once'] } }
    expect((await story.proposer.post('/propose', body, { key: null })).body.code).toBe('idempotency_key_required')
    const first = await story.proposer.post('/propose', body, { key: 'k-1' })
    const again = await story.proposer.post('/propose', body, { key: 'k-1' })
    expect(again.text).toBe(first.text)
    expect((await story.proposer.post('/propose', { ...body, priority: 1 }, { key: 'k-1' })).body.code).toBe('idempotency_mismatch')
  })

  it('makes one order of the same key sent eight times at once', async () => {
    const before = await orders()
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        story.proposer.post('/propose', { type: 'test.echo', payload: { messages: ['x'] } }, { key: 'k-race' }),
      ),
    )
    for (const answer of answers) expect([201, 409]).toContain(answer.status)
    expect(new Set(answers.filter((a) => a.status === 201).map((a) => a.text)).size).toBe(1)
    expect(await orders()).toBe(before + 1)
  })
})

describe('plan', () => {
  const deferred = async (payload: object) =>
    (await story.proposer.post('/propose', { type: 'test.fragile', payload, defer_planning: true })).body.order

  it('plans later what was proposed with defer_planning, once', async () => {
    const order = await deferred({ wanted: ['a', 'b', 'c'] })
    expect(order).toMatchObject({ state: 'queued', items_total: 0 })
    expect((await story.agent.post(`/orders/${order.id}/checkout`)).body.code).toBe('no_items_available')
    expect((await story.reviewer.post(`/orders/${order.id}/approve`)).body.code).toBe('not_ready_for_approval')

    const answers = await Promise.all(Array.from({ length: 4 }, () => story.proposer.post(`/orders/${order.id}/plan`)))
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 409, 409, 409])
    expect(answers.find((answer) => answer.status === 200)!.body).toMatchObject({ items_count: 3, order: { items_total: 3 } })
    for (const answer of answers.filter((one) => one.status === 409)) expect(answer.body.code).toBe('already_planned')
    expect((await story.order(order.id)).items).toHaveLength(3)
    expect(await story.kinds(order.id)).toEqual(['order.proposed', 'order.planned'])
  })

  it('refuses an empty or broken plan and leaves the order as it was', async () => {
    const empty = await deferred({ wanted: [] })
    expect((await story.proposer.post(`/orders/${empty.id}/plan`)).body.code).toBe('empty_plan')
    const broken = await deferred({ wanted: ['a'], broken: true })
    expect((await story.proposer.post(`/orders/${broken.id}/plan`)).body.code).toBe('plan_failed')
    expect((await story.order(broken.id)).items_total).toBe(0)
  })

  it('refuses to plan a cancelled order', async () => {
    const order = await deferred({ wanted: ['a'] })
    expect((await story.proposer.post(`/orders/${order.id}/cancel`, { reason: 'not needed' })).status).toBe(200)
    expect((await story.proposer.post(`/orders/${order.id}/plan`)).body.code).toBe('illegal_state_transition')
  })
})
