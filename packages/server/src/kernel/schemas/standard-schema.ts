/** Schemas of other libraries (Zod, Valibot, ArkType …), run by the library itself. What would change values is refused, by name. */
import { isDeepStrictEqual } from 'node:util'
import type { FieldError } from '@work-manager/contract'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { fromStandardIssues } from './field-errors.ts'
import type { JsonSchema } from './keywords.ts'
import { SchemaRefusedError } from './schema-refused.ts'

export const isStandardSchema = (schema: object): schema is StandardSchemaV1 => '~standard' in schema

/** The schema changed the value: plan, checks and apply would be typed for something that they never get. */
export class SchemaChangedValue extends Error {
  constructor(vendor: string) {
    super(
      `The ${vendor} schema changed the value (a transform, a default or a coercion). Values are judged and never changed: describe them as they are sent, and convert them in plan, verify or apply.`,
    )
    this.name = 'SchemaChangedValue'
  }
}

const changing: Readonly<Record<string, string>> = {
  transform: 'a transform',
  default: 'a default',
  prefault: 'a default',
  catch: 'a catch',
  codec: 'a codec',
  success: 'a success',
}

interface ZodDef {
  readonly type?: string
  readonly coerce?: boolean
  readonly transform?: unknown
  readonly checks?: readonly { readonly _zod?: { readonly def?: { readonly check?: string } } }[]
  readonly getter?: () => unknown
}

/** Refuses with: SchemaRefusedError where a Zod schema says that it changes values. */
function refuseChangingZod(schema: unknown): void {
  const seen = new Set<unknown>()
  const refuse = (what: string, path: readonly string[]): never => {
    throw new SchemaRefusedError(`The Zod schema changes values: ${what}`, {
      pointer: path.map((step) => `/${step}`).join(''),
      keyword: what.replace(/^an? /, ''),
      advice: 'Values are judged and never changed: describe them as they are sent, and convert them in plan, verify or apply.',
    })
  }
  const look = (at: unknown, path: readonly string[]): void => {
    if (typeof at !== 'object' || at === null || seen.has(at)) return
    seen.add(at)
    const def = (at as { _zod?: { def?: ZodDef } })._zod?.def
    if (!def) {
      // Lists and objects of schemas: shapes, options, items.
      for (const [name, inner] of Object.entries(at)) look(inner, [...path, name])
      return
    }
    const what = changing[def.type ?? '']
    if (what) refuse(what, path)
    if (def.coerce) refuse('a coercion', path)
    if (typeof def.transform === 'function') refuse('a transform', path)
    if (def.checks?.some((check) => check._zod?.def?.check === 'overwrite')) refuse('an overwrite such as trim or toLowerCase', path)
    for (const [name, inner] of Object.entries(def))
      if (name !== 'checks' && typeof inner === 'object') look(inner, name === 'shape' ? path : [...path, name])
    if (def.type === 'lazy' && def.getter) look(def.getter(), path)
  }
  look(schema, [])
}

/** The same value, or the same without members that the schema does not name: what is there is what was sent. */
function isPartOf(outcome: unknown, value: unknown): boolean {
  if (Array.isArray(outcome) && Array.isArray(value))
    return outcome.length === value.length && outcome.every((one, i) => isPartOf(one, value[i]))
  if (typeof outcome === 'object' && outcome !== null && typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(outcome).every(
      ([name, inner]) =>
        (inner === undefined && !Object.hasOwn(value, name)) ||
        (Object.hasOwn(value, name) && isPartOf(inner, (value as Record<string, unknown>)[name])),
    )
  return isDeepStrictEqual(outcome, value)
}

function describe(schema: StandardSchemaV1): JsonSchema {
  const { jsonSchema } = schema['~standard'] as { jsonSchema?: { input?: (options: { target: string }) => JsonSchema } }
  if (typeof jsonSchema?.input !== 'function') return {}
  try {
    return jsonSchema.input({ target: 'draft-2020-12' })
  } catch {
    // The library validates shapes that JSON Schema cannot express; validation is unaffected, only the description is missing.
    return {}
  }
}

interface ZodOutcome {
  readonly data?: unknown
  readonly error?: { readonly issues: readonly StandardSchemaV1.Issue[] }
}

/**
 * Zod's own `validate` calls everything as if nothing were asynchronous first, and leaves behind the promises of what is: one that is
 * rejected would end the process.
 */
function outcomeOf(schema: StandardSchemaV1, value: unknown): ReturnType<StandardSchemaV1['~standard']['validate']> {
  const { safeParseAsync } = schema as { safeParseAsync?: (value: unknown) => Promise<ZodOutcome> }
  if (schema['~standard'].vendor !== 'zod' || typeof safeParseAsync !== 'function') return schema['~standard'].validate(value)
  return safeParseAsync.call(schema, value).then(({ data, error }) => (error ? { issues: error.issues } : { value: data }))
}

export function standardValidator(schema: StandardSchemaV1): {
  readonly jsonSchema: JsonSchema
  validate(value: unknown): Promise<readonly FieldError[]>
} {
  const { vendor } = schema['~standard']
  if (vendor === 'zod') refuseChangingZod(schema)
  return {
    jsonSchema: describe(schema),
    async validate(value) {
      const outcome = await outcomeOf(schema, value)
      if (outcome.issues) return fromStandardIssues(outcome.issues, value)
      if (!isPartOf(outcome.value, value)) throw new SchemaChangedValue(vendor)
      return []
    },
  }
}
