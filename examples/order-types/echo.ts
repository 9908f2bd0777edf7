/** The smallest order type: one item per message, and an agent that says it again. WORK_MANAGER_ORDER_TYPES=./examples/order-types loads it. */
import { defineOrderType } from '@work-manager/server/order-type'
import Type from 'typebox'

export default defineOrderType({
  type: 'example.echo',
  payload: Type.Object({ messages: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 100 }) }),
  input: Type.Object({ message: Type.String() }),
  result: Type.Object({ echoed: Type.String() }),
  plan: ({ payload }) => payload.messages.map((message) => ({ input: { message } })),
  verify: [
    {
      name: 'the echo is right',
      check: ({ input, result }) =>
        result.echoed === input.message ? [] : [{ field: 'echoed', code: 'wrong_echo', message: `echoed must be '${input.message}'` }],
    },
  ],
  async apply({ items, records, order, diff }) {
    const messages = items.map((item) => item.result.echoed)
    await records.put('echoes', order.id, messages)
    return diff({}, { messages }, `${messages.length} echoed`)
  },
})
