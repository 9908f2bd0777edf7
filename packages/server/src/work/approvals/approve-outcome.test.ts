/** What somebody hears who approved and whose apply took long, failed, or was overtaken. */
import { randomUUID } from 'node:crypto'
import Type from 'typebox'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'

let gate = Promise.withResolvers<void>()
const slow = defineOrderType({
  type: 'test.slow',
  payload: Type.Object({ n: Type.Integer() }),
  result: Type.Object({ n: Type.Integer() }),
  async apply(context) {
    await gate.promise
    return context.diff({}, { n: 1 })
  },
})
let story: Story
beforeAll(async () => {
  story = await startStory({ types: [slow], config: { approval: { wait_ms: 200 } } })
})
afterAll(() => story.server.stop())

async function submitted() {
  const order = await story.propose({ n: 1 }, { type: 'test.slow' })
  await story.submit(await story.take(order.id), { n: 1 })
  return order
}

it('an answer of 202 is not kept: the same request hears later that it is applied', async () => {
  const order = await submitted()
  const key = randomUUID()
  const approve = () => story.reviewer.post(`/orders/${order.id}/approve`, {}, { key })
  const first = await approve()
  expect([first.status, first.body.message]).toEqual([202, expect.stringContaining('still being applied')])
  gate.resolve()
  await story.server.run('applier')
  const again = await approve()
  expect([again.status, again.body.order.state]).toEqual([200, 'completed'])
  expect((await story.events(order.id, 'order.approved')).length).toBe(1)
})

it('a cancel that came between is what is said, and not that applying failed', async () => {
  gate = Promise.withResolvers()
  const order = await submitted()
  const key = randomUUID()
  // A pause keeps it from being applied, so that there is time for somebody else's decision.
  const pausing = await story.reviewer.post('/pauses', { type: 'test.slow', reason: 'Wait.' })
  expect(pausing.status, pausing.text).toBeLessThan(300)
  const approve = () => story.reviewer.post(`/orders/${order.id}/approve`, {}, { key })
  expect((await approve()).status).toBe(202)
  const cancelled = await story.proposer.post(`/orders/${order.id}/cancel`, { reason: 'No longer wanted.' })
  expect(cancelled.status, cancelled.text).toBe(200)
  const again = await approve()
  expect([again.status, again.body.code]).toEqual([409, 'illegal_state_transition'])
  gate.resolve()
})
