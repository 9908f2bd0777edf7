/** A small order type for tests of the core: one item per message; the echo must be right; apply keeps what was echoed. */
import Type from 'typebox'
import { defineOrderType } from '../src/work/order-types/define-order-type.ts'

/** Receipts of the `announce` effect, by key: what an outside receiver would have seen. */
export const announced = new Map<string, unknown[]>()

export const echoType = defineOrderType({
  type: 'test.echo',
  payload: Type.Object({ messages: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 500 }) }),
  input: Type.Object({ message: Type.String() }),
  result: Type.Object({ echoed: Type.String(), ok: Type.Boolean() }),
  plan: ({ payload }) => payload.messages.map((message) => ({ input: { message } })),
  verify: [
    {
      name: 'echo is right',
      check: ({ input, result }) =>
        result.echoed === input.message ? [] : [{ field: 'echoed', code: 'wrong_echo', message: `echoed must be '${input.message}'` }],
    },
  ],
  canApprove: (_order, items) =>
    items.flatMap((item) =>
      item.result.ok ? [] : [{ field: `items.${item.ordinal}.ok`, code: 'not_ok', message: 'Every echo must be ok.' }],
    ),
  async apply(context) {
    const messages = context.items.map((item) => item.result.echoed)
    const counter = ((await context.records.get('echo', 'applied')) as number | undefined) ?? 0
    await context.records.put('echo', 'applied', counter + 1)
    await context.records.put('echo', context.order.id, messages)
    context.effect('announce', { messages })
    return context.diff({ applied: counter }, { applied: counter + 1, messages }, `Echoed ${messages.length}`)
  },
  effects: {
    announce: {
      deduplicates: true,
      async run(input, { key }) {
        announced.set(key, [...(announced.get(key) ?? []), input])
        return { seen: true }
      },
    },
  },
})
