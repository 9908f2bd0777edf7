/**
 * What the shapes of the wire are made of, as TypeBox schemas (each one is JSON Schema 2020-12). Timestamps: RFC 3339, UTC.
 * Ids: UUID.
 */
import Type, { type TSchema } from 'typebox'

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
export const uuid = (description: string) => Type.String({ format: 'uuid', description })
export const time = (description: string) => Type.String({ format: 'date-time', description })
/** Any JSON object or array, kept as given. */
export const anyJson = (description: string) => Type.Unknown({ description })

export const ProblemShape = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String(),
    detail: Type.String(),
    fix: Type.String(),
    retry: Type.Enum(['never', 'after_refresh', 'later']),
    request_id: Type.String(),
    message: Type.String(),
    error: Type.Object({ code: Type.String(), message: Type.String() }, { additionalProperties: true }),
    errors: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: true, title: 'Problem' },
)
