import Type from 'typebox'
import { expect, it } from 'vitest'
import { compileSchema } from '../kernel/schemas/schema-validator.ts'
import { shippedOrderTypes } from '../work/order-types/shipped/index.ts'
import { sampleOf } from './json-sample.ts'

const schemas = {
  nested: Type.Object({
    names: Type.Array(Type.String({ minLength: 12 }), { minItems: 2 }),
    at: Type.String({ format: 'date-time' }),
    id: Type.String({ format: 'uuid' }),
    maybe: Type.Optional(Type.String()),
  }),
  numbers: Type.Object({ low: Type.Integer({ minimum: 7 }), above: Type.Number({ exclusiveMinimum: 0 }), flag: Type.Boolean() }),
  choices: Type.Object({
    one: Type.Enum(['a', 'b']),
    fixed: Type.Literal('x'),
    or: Type.Union([Type.Null(), Type.Integer()]),
    code: Type.String({ pattern: '^[A-Z]{2}$' }),
  }),
}

it.each(Object.entries(schemas))('a sample of %s fits its schema', async (_, schema) => {
  expect(await compileSchema(schema).validate(sampleOf(schema as never))).toEqual([])
})

it.each(shippedOrderTypes.map((type) => [type.type, type] as const))('a sample fits the payload schema of %s', async (_, type) => {
  const { payload } = type.validators
  expect(await payload.validate(sampleOf(payload.jsonSchema as never))).toEqual([])
})
