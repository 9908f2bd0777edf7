/**
 * Schemas of order types, compiled once. JSON Schema 2020-12 and TypeBox run on one shared Ajv; any Standard Schema validates with
 * its own library. Values are judged and never changed: no coercion, no defaults, no removed members.
 */
import { createHash } from 'node:crypto'
import type { FieldError } from '@work-manager/contract'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import ajvFormats, { type FormatsPlugin } from 'ajv-formats'
import { fromAjvErrors, fromStandardIssues } from './field-errors.ts'
import { linearRegExp } from './linear-regexp.ts'
import type { AnySchema } from './any-schema.ts'
import { boundedSchema, SchemaRefusedError, type JsonSchema } from './schema-limits.ts'

export { SchemaRefusedError, type JsonSchema } from './schema-limits.ts'

export interface Validator {
  /** JSON Schema 2020-12, to show to agents and to store with the order. `{}` when a Standard Schema library cannot describe itself. */
  readonly jsonSchema: JsonSchema
  /** What is wrong with the value, at most 50 entries; an empty list means it matches. */
  validate(value: unknown): readonly FieldError[] | Promise<readonly FieldError[]>
}

/** Beyond this size only the first error is looked for: all errors of a huge wrong document would be a huge list. */
const maxNodesForAllErrors = 20_000

/** Ajv-formats is CommonJS with a default member; Node hands over the callable itself, its types describe the member. */
const addFormats = ajvFormats as unknown as FormatsPlugin

function isWebUrl(text: string): boolean {
  return /^(https?|ftp):\/\//i.test(text) && URL.canParse(text)
}

function createAjv(allErrors: boolean): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors,
    strict: true,
    strictTuples: false,
    strictRequired: false,
    allowUnionTypes: true,
    discriminator: true,
    coerceTypes: false,
    useDefaults: false,
    removeAdditional: false,
    $data: false,
    verbose: true,
    logger: false,
    code: { regExp: linearRegExp },
  })
  addFormats(ajv)
  // The expression that ajv-formats brings for `url` is quadratic: 18 s for 200 kB of `http://a@http://a@…`.
  ajv.addFormat('url', isWebUrl)
  return ajv
}

// A compiled schema is about 0.07 MB and never freed; the shared instances and this cache keep it to one per distinct schema.
const firstError = createAjv(false)
const everyError = createAjv(true)
const compiled = new Map<string, Validator>()

function hasId(text: string): boolean {
  return text.includes('"$id"') || text.includes('"$anchor"') || text.includes('"$dynamicAnchor"')
}

function compileWith(ajv: Ajv2020, schema: JsonSchema): ValidateFunction {
  try {
    return ajv.compile(schema)
  } catch (cause) {
    throw refusal(ajv, cause)
  }
}

function refusal(ajv: Ajv2020, cause: unknown): SchemaRefusedError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const first = reason.startsWith('schema is invalid') ? ajv.errors?.[0] : undefined
  const pointer = first?.instancePath ?? /at "?(#[^"\s)]*)/.exec(reason)?.[1]?.replace(/^#/, '') ?? ''
  const keyword =
    first?.instancePath.split('/').at(-1) ??
    /keyword:? "([^"]+)"/.exec(reason)?.[1] ??
    /unknown (?:format|keyword):? "?([^"\s]+)/.exec(reason)?.[1] ??
    ''
  const advice = reason.includes('unknown keyword')
    ? 'Remove the keyword or correct its spelling; only JSON Schema 2020-12 keywords are accepted.'
    : reason.includes('missing type')
      ? 'Add the type beside the keyword; without it the keyword is skipped for values of other types.'
      : reason.includes('unknown format')
        ? 'Use a format of JSON Schema 2020-12, or a pattern.'
        : 'Write it as JSON Schema 2020-12 asks.'
  return new SchemaRefusedError(`The schema cannot be compiled: ${reason}`, { pointer, keyword, advice }, { cause })
}

function isSmall(value: unknown): boolean {
  let nodes = 0
  const pending: unknown[] = [value]
  while (pending.length > 0) {
    if (++nodes > maxNodesForAllErrors) return false
    const next = pending.pop()
    if (typeof next !== 'object' || next === null) continue
    const children = Object.values(next)
    if (nodes + pending.length + children.length > maxNodesForAllErrors) return false
    pending.push(...children)
  }
  return true
}

function compileJsonSchema(schema: object): Validator {
  const jsonSchema = boundedSchema(schema)
  const text = JSON.stringify(jsonSchema)
  const key = createHash('sha256').update(text).digest('base64')
  const known = compiled.get(key)
  if (known) return known
  // Ids are global to an Ajv: a schema that names some gets instances of its own, so that two types may use the same names.
  const own = hasId(text)
  const quick = compileWith(own ? createAjv(false) : firstError, jsonSchema)
  let thorough: ValidateFunction | undefined
  const validator: Validator = {
    jsonSchema,
    validate(value) {
      if (quick(value)) return []
      if (!isSmall(value)) return fromAjvErrors(quick.errors ?? [], value)
      thorough ??= compileWith(own ? createAjv(true) : everyError, jsonSchema)
      thorough(value)
      return fromAjvErrors(thorough.errors ?? quick.errors ?? [], value)
    },
  }
  compiled.set(key, validator)
  return validator
}

function describeStandard(schema: StandardSchemaV1): JsonSchema {
  const describe = (schema['~standard'] as { jsonSchema?: { input?: (options: { target: string }) => JsonSchema } }).jsonSchema?.input
  if (typeof describe !== 'function') return {}
  try {
    return describe({ target: 'draft-2020-12' })
  } catch {
    // The library validates shapes that JSON Schema cannot express; validation is unaffected, only the description is missing.
    return {}
  }
}

const isStandardSchema = (schema: object): schema is StandardSchemaV1 => '~standard' in schema

/**
 * Compiles a plain JSON Schema, a TypeBox schema or any Standard Schema.
 * Refuses with: SchemaRefusedError (not a schema, too large or deep, a remote $ref, a pattern that needs backtracking).
 */
export function compileSchema(schema: AnySchema): Validator {
  // ArkType's schemas are callable, so a function with '~standard' is a schema too.
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null || Array.isArray(schema))
    throw new SchemaRefusedError('A schema must be an object', {
      pointer: '',
      keyword: '',
      advice: 'Give a JSON Schema, a TypeBox schema or a Standard Schema such as Zod.',
    })
  if (!isStandardSchema(schema)) {
    if (typeof schema === 'function')
      throw new SchemaRefusedError('A function is not a schema', {
        pointer: '',
        keyword: '',
        advice: 'Give a JSON Schema, a TypeBox schema or a Standard Schema such as Zod.',
      })
    return compileJsonSchema(schema)
  }
  return {
    jsonSchema: describeStandard(schema),
    async validate(value) {
      const outcome = await schema['~standard'].validate(value)
      return outcome.issues ? fromStandardIssues(outcome.issues, value) : []
    },
  }
}
