/** An order type that uses everything an order can leave behind: checks, parts, records, an effect and a diff. */
import Type from 'typebox'
import { defineOrderType } from '../../src/work/order-types/define-order-type.ts'

const Chapter = Type.Object({ text: Type.String({ minLength: 1 }) }, { additionalProperties: true })

export const essayInParts = defineOrderType({
  type: 'test.parity',
  payload: Type.Object({ titles: Type.Array(Type.String(), { minItems: 1 }) }),
  input: Type.Object({ title: Type.String() }),
  result: Type.Object({ opening: Chapter, ending: Chapter }),
  parts: { schemas: { opening: Chapter, ending: Chapter }, required: () => ['opening', 'ending'] },
  plan: ({ payload }) => payload.titles.map((title) => ({ input: { title } })),
  verify: [
    {
      name: 'on topic',
      check: ({ input, result }) =>
        result.opening.text.includes(input.title)
          ? []
          : [{ field: 'opening.text', code: 'off_topic', message: `The opening must name '${input.title}'.` }],
    },
  ],
  async apply(context) {
    for (const item of context.items) await context.records.put('essays', item.input.title, { ...item.result, evidence: item.evidence })
    context.effect('publish', { titles: context.items.map((item) => item.input.title) })
    return context.diff({ essays: 0 }, { essays: context.items.length }, `Published ${context.items.length} essays`)
  },
  effects: { publish: { deduplicates: true, run: async (input) => ({ published: input }) } },
})
