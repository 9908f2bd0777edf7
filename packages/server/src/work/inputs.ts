/** Members that verbs of orders and items share. */
import Type from 'typebox'

export const orderId = Type.String({ format: 'uuid', description: 'Order id.' })
export const itemId = Type.String({ format: 'uuid', description: 'Item id.' })
export const leaseToken = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 200,
    description: 'The token that checkout returned. Required, unless the type or the server lets older clients go without.',
  }),
)
/** A JSON object or array that the order type judges; kept as given. Empty ones are refused, as the predecessor's clients expect. */
export const document = (description: string) =>
  Type.Union([Type.Object({}, { additionalProperties: true, minProperties: 1 }), Type.Array(Type.Unknown(), { minItems: 1 })], {
    description,
  })
export const evidence = Type.Optional(
  Type.Union([Type.Null(), Type.Array(Type.Unknown(), { maxItems: 500 }), Type.Object({}, { additionalProperties: true })], {
    description: 'Evidence entries (url, retrieved_at, quote, hash …).',
  }),
)
export const notes = Type.Optional(
  Type.Union([Type.Null(), Type.String({ maxLength: 20_000 })], { description: 'Free text for the reviewer.' }),
)
