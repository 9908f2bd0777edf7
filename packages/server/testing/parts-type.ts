/** An order type whose one result is handed in as a part. */
import Type from 'typebox'
import { defineOrderType } from '../src/work/order-types/define-order-type.ts'

export const partsType = defineOrderType({
  type: 'test.parts',
  payload: Type.Object({ message: Type.String() }),
  result: Type.Object({ one: Type.Object({ text: Type.String() }) }),
  parts: { required: () => ['one'], schemas: { one: Type.Object({ text: Type.String() }) } },
  apply: (context) => context.diff({}, {}, 'nothing'),
})
