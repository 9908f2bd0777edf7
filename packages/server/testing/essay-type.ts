/** A small order type that is handed in whole or in parts, for tests of the lease verbs: every verb works on its items. */
import Type from 'typebox'
import { defineOrderType } from '../src/work/order-types/define-order-type.ts'

const Chapter = Type.Object({ text: Type.String({ minLength: 1 }) })

export const essayType = defineOrderType({
  type: 'test.essay',
  payload: Type.Object({ titles: Type.Array(Type.String(), { minItems: 1, maxItems: 500 }) }),
  input: Type.Object({ title: Type.String() }),
  result: Type.Object({ body: Chapter }),
  parts: { schemas: { body: Chapter }, required: () => ['body'] },
  plan: ({ payload }) => payload.titles.map((title) => ({ input: { title } })),
  retry: { maxAttempts: 3, baseSeconds: 1, maxSeconds: 1 },
  apply: (context) => context.diff({}, { essays: context.items.length }),
})

export const essay = { body: { text: 'Once upon a time' } }
