import Type from 'typebox'
import { defineOperation } from '../tools.ts'

export const listOrderTypes = defineOperation({
  name: 'list_order_types',
  summary: 'List the registered order types with the JSON Schemas of payload, item input, result and parts.',
  http: { method: 'GET', path: '/types', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: [],
  command: { words: 'types list', byHand: true },
  tool: { name: 'work_types', title: 'Order types', advice: 'Look here first: it says what a payload and a result must look like.' },
  input: Type.Object({ type: Type.Optional(Type.String({ maxLength: 120, description: 'Only this type.' })) }),
  output: Type.Object({
    types: Type.Array(
      Type.Object(
        { type: Type.String(), version: Type.Integer(), schemas: Type.Unknown() },
        { additionalProperties: true, title: 'OrderType' },
      ),
    ),
  }),
  async handler(context, input) {
    const { types } = context.tools
    const described = types
      .list()
      .flatMap((type) => (input.type === undefined || input.type === type.type ? [types.describe(type.type)] : []))
    return { status: 200, body: { types: described } }
  },
})
