import { defineCases, done } from '../../../testing/cases.ts'
import { whileApplying } from '../../../testing/story.ts'
import { essayWithPart, orderOf, submit, submitShown } from '../../../testing/work-calls.ts'

export const cases = defineCases({
  approve_order: {
    call: (side) => orderOf(submit(side)),
    async sample(side) {
      const { order } = await submitShown(side)
      const { digest } = done(await side.person.get(`/orders/${order}`)).body.order
      return { order, digest }
    },
    meanwhile: ({ server }, asked) => whileApplying(server, asked),
  },
  reject_order: {
    async call(side) {
      const { order, item } = await submit(side)
      return { order, allow_rework: true, items: [item], errors: [{ code: 'again', message: side.mark, item_id: item }] }
    },
    async sample(side) {
      const { order, item, lease_token } = await essayWithPart(side)
      done(await side.agent.post(`/items/${item}/finalize`, { lease_token, mode: 'strict' }))
      return { order, errors: [{ field: 'body.text', code: 'too_short', message: 'Say more.' }], allow_rework: true }
    },
  },
})
