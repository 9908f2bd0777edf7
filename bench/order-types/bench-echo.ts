/** The order type that the benchmark leases: small documents, a schema on each side, and one check that reads input and result. */
import Type from 'typebox'
import { defineOrderType } from '../../packages/server/src/work/order-types/author.ts'

export const itemsPerOrder = 100

/** The same type under another name: for measurements with many types. */
export const echoTypeNamed = (type: string) =>
  defineOrderType({
    type,
    payload: Type.Object({ count: Type.Integer({ minimum: 1, maximum: 500 }) }),
    input: Type.Object({ number: Type.Integer(), text: Type.String({ maxLength: 200 }) }),
    result: Type.Object(
      { number: Type.Integer(), answer: Type.String({ minLength: 1, maxLength: 1000 }), ok: Type.Boolean() },
      { additionalProperties: false },
    ),
    plan: ({ payload }) =>
      Array.from({ length: payload.count }, (_, number) => ({ input: { number, text: `What is thing number ${number}?` } })),
    verify: [
      {
        name: 'answers what was asked',
        check: ({ input, result }) =>
          result.number === input.number ? [] : [{ field: 'number', code: 'wrong_number', message: `number must be ${input.number}` }],
      },
    ],
    apply: (context) => context.diff({}, {}, 'The benchmark applies nothing.'),
  })

const benchEcho = echoTypeNamed('bench.echo')
export default benchEcho
export const benchType = benchEcho.type

/** What a bench agent hands in for an item; the same bytes over HTTP and by SQL. */
export const resultFor = (input: { readonly number: number }) => ({
  number: input.number,
  answer: 'It is the thing that the benchmark asks about.',
  ok: true,
})
