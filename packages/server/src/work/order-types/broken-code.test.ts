/** Whatever a type's or a generator's code does, callers hear a named refusal in time, and the server goes on. */
import Type from 'typebox'
import { z } from 'zod'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'
import { defineGenerator } from '../generators/define-generator.ts'
import { findOrders } from '../generators/run-generator.ts'
import { defineOrderType } from './define-order-type.ts'
import { planItems } from './plan-items.ts'

let how: Record<string, () => unknown> = {}
const at = (member: string, usually: unknown): any => (how[member] ? how[member]() : usually)
const diff = { before: {}, after: {}, changes: [], summary: '' }
const odd = defineOrderType({
  type: 'test.odd',
  payload: Type.Object({ go: Type.Boolean() }),
  result: z.object({ n: z.number().refine(() => at('refine', true) as boolean) }),
  plan: () => at('plan', [{ input: {} }]),
  gather: async () => at('gather', {}),
  gatherTimeoutMs: 100,
  verify: [{ name: 'rule', check: () => at('verify', []) }],
  canApprove: () => at('canApprove', []),
  beforeApply: () => at('beforeApply', undefined),
  apply: () => at('apply', diff),
})
const yearly = '0 0 1 1 *'
const odds = [
  ['null', () => null],
  ['a text', () => 'orders'],
  ['orders without a type', () => [{ payload: {} }]],
  ['what is no JSON', () => [{ type: 'test.odd', payload: { n: 1n } }]],
  ['what refers to itself', () => [Object.assign({ type: 'test.odd' }, { payload: loop })]],
  ['an error', () => Promise.reject(new Error('away'))],
] as const
const loop: Record<string, unknown> = {}
loop.loop = loop

let story: Story
beforeAll(async () => {
  story = await startStory({
    types: [odd],
    generators: odds.map(([, generate], n) => defineGenerator({ name: `odd.g${n}`, schedule: yearly, generate: generate as never })),
  })
})
afterAll(() => story.server.stop())

const throws = () => {
  throw new Error('s3cret of the type')
}
const never = () => new Promise(() => {})
const wrong = () => 'nothing of the kind'

const propose = () => story.proposer.post('/propose', { type: 'test.odd', payload: { go: true } })
async function handIn() {
  const { order } = (await propose()).body
  const item = await story.take(order.id)
  return { order, item, submit: () => story.submit(item, { n: 1 }) }
}

describe.each([
  ['throws', throws],
  ['answers something else', wrong],
])('code that %s', (what, does) => {
  it('in plan: plan_failed', async () => {
    how = { plan: does }
    expect((await propose()).body, what).toMatchObject({ status: 422, code: 'plan_failed' })
    how = {}
  })
  it.each(['verify', ...(does === throws ? ['gather', 'refine'] : [])])('in %s: order_type_broke, and the lease stays', async (member) => {
    const { submit } = await handIn()
    how = { [member]: does }
    const answer = await submit()
    how = {}
    expect(answer.body).toMatchObject({ status: 503, code: 'order_type_broke', retry: 'later' })
    expect(answer.text).not.toContain('s3cret')
    expect((await submit()).status).toBe(202)
  })
  it('in canApprove: order_type_broke, and nothing is decided', async () => {
    const { order, submit } = await handIn()
    await submit()
    how = { canApprove: does }
    const answer = await story.reviewer.post(`/orders/${order.id}/approve`, {})
    how = {}
    expect(answer.body).toMatchObject({ status: 503, code: 'order_type_broke', detail: expect.stringContaining('canApprove') })
    expect((await story.order(order.id)).state).toBe('submitted')
  })
  it.each(['apply', ...(does === throws ? ['beforeApply'] : [])])('in %s: apply_failed', async (member) => {
    const { order, submit } = await handIn()
    await submit()
    how = { [member]: does }
    const answer = await story.approve(order.id)
    how = {}
    expect(answer.body).toMatchObject({ status: 422, code: 'apply_failed' })
  })
})

describe('code that never settles', () => {
  it('in plan ends', async () => {
    how = { plan: never }
    await expect(planItems(odd, { payload: { go: true }, meta: null }, undefined, 50)).rejects.toMatchObject({
      name: 'TypeCrashed',
      timedOut: true,
    })
    how = {}
  })
  it('in gather ends', async () => {
    const { submit } = await handIn()
    how = { gather: never }
    expect((await submit()).body).toMatchObject({ code: 'order_type_broke', detail: expect.stringContaining('took too long') })
    how = {}
  })
  it('in a generator ends', async () => {
    const generator = defineGenerator({ name: 'odd.never', schedule: yearly, generate: never as never })
    await expect(findOrders(generator, 'acme', undefined, 50)).rejects.toMatchObject({ name: 'TookTooLong' })
  })
})

it.each(odds.map(([what], n) => [what, n] as const))(
  'a generator that returns %s is an outcome with a reason, dry or not',
  async (_, n) => {
    for (const dry of [true, false]) {
      const answer = await story.reviewer.post('/generators/run', { generator: `odd.g${n}`, dry_run: dry })
      expect(answer.status, answer.text).toBe(200)
      expect(answer.body.generators).toMatchObject([{ proposed: 0, error: expect.any(String) }])
    }
  },
)
