import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type TestServer } from '../../../testing/test-server.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'

let broken = false
const trusting = defineOrderType({
  type: 'test.trusting',
  payload: Type.Object({ limit: Type.Integer() }),
  result: Type.Object({ amount: Type.Integer() }),
  autoApprove: true,
  canApprove: (order, items) => {
    if (broken) throw new Error('the rule broke')
    return items.flatMap((item) =>
      item.result.amount <= order.payload.limit ? [] : [{ field: 'amount', code: 'over_limit', message: 'The amount is over the limit.' }],
    )
  },
  async apply(context) {
    await context.records.put(
      'trusting',
      context.order.id,
      context.items.map((item) => item.result.amount),
    )
    if (context.items.some((item) => item.result.amount === 13)) throw new Error('unlucky')
    return context.diff({}, {})
  },
})

let story: Story
let second: TestServer
beforeAll(async () => {
  story = await startStory({ types: [trusting], config: { approval: { wait_ms: 0 } } })
  second = await startTestServer({ types: [trusting], background: false, database: story.server.database })
})
afterAll(async () => {
  await second.stop()
  await story.server.stop()
})

const full = async (amount: number) => {
  const order = await story.propose({ limit: 100 }, { type: 'test.trusting' })
  await story.submit(await story.take(order.id), { amount })
  return order.id
}
const run = () => story.server.run('auto-approver')

describe('automatic approval', () => {
  it('that passes is recorded with its policy, by the system, and applied', async () => {
    const id = await full(50)
    expect(await run()).toBe(1)
    await story.server.run('applier')
    expect((await story.order(id)).state).toBe('completed')
    expect(await story.events(id, 'order.approved')).toMatchObject([{ actor_type: 'system' }])
    const [decision] = await story.server.database.sql(`select actor_type, principal, policy from wm.approvals where order_id = $1`, [id])
    expect(decision).toMatchObject({
      actor_type: 'system',
      principal: 'system:auto-approver',
      policy: { policy: 'autoApprove', type: 'test.trusting', version: 1, checks: ['canApprove'] },
    })
  })

  it('that does not pass is one visible event; a person can still decide', async () => {
    const id = await full(500)
    await run()
    await run()
    const events = await story.events(id, 'order.auto_approval_failed')
    expect(events).toMatchObject([
      {
        actor_type: 'system',
        payload: { policy: 'autoApprove', code: 'not_ready_for_approval', errors: [{ field: 'amount', code: 'over_limit' }] },
      },
    ])
    expect((await story.order(id)).state).toBe('submitted')
    expect((await story.order(id)).events.map((event: any) => event.kind)).toContain('order.auto_approval_failed')
    expect((await story.reviewer.post(`/orders/${id}/approve`)).body.code).toBe('not_ready_for_approval')
    expect(
      (await story.reviewer.post(`/orders/${id}/reject`, { errors: [{ code: 'over', message: 'Less, please.' }], allow_rework: true }))
        .status,
    ).toBe(200)
    await story.submit(await story.take(id), { amount: 5 })
    // A new revision is a new question.
    expect(await run()).toBe(1)
    await story.server.run('applier')
    expect((await story.order(id)).state).toBe('completed')
  })

  it('whose rule breaks is told, too, without the text of the crash, and left to a person', async () => {
    broken = true
    const id = await full(50)
    await run()
    await run()
    expect(await story.events(id, 'order.auto_approval_failed')).toMatchObject([{ payload: { code: 'check_broke' } }])
    broken = false
    expect(await run()).toBe(0)
    expect((await story.reviewer.post(`/orders/${id}/approve`)).status).toBe(202)
    await story.server.run('applier')
    expect((await story.order(id)).state).toBe('completed')
  })

  it('whose apply fails waits for a person instead of trying for ever', async () => {
    const id = await full(13)
    await run()
    await story.server.run('applier')
    expect(await run()).toBe(0)
    expect(await story.order(id)).toMatchObject({ state: 'submitted', last_apply_error: { message: 'unlucky' } })
    expect((await story.kinds(id)).filter((kind) => kind === 'order.approved')).toHaveLength(1)
  })

  it('of two processes at once decides once, and says once that it did not pass', async () => {
    const [good, bad] = [await full(1), await full(1000)]
    const done = await Promise.all([run(), second.run('auto-approver'), run(), second.run('auto-approver')])
    expect(done.reduce((sum, n) => sum + n, 0)).toBe(2)
    expect(await story.events(good, 'order.approved')).toHaveLength(1)
    expect(await story.events(good, 'order.auto_approval_failed')).toHaveLength(0)
    expect(await story.events(bad, 'order.auto_approval_failed')).toHaveLength(1)
  })

  it('never touches a type that does not ask for it', async () => {
    const order = await story.propose()
    await story.fill(order.id)
    await run()
    expect((await story.order(order.id)).state).toBe('submitted')
  })
})
