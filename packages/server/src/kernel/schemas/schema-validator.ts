/**
 * Schemas of order types, compiled once. JSON Schema 2020-12 and TypeBox are judged here, step by step and bounded; any Standard Schema
 * validates with its own library. Values are judged and never changed: no coercion, no defaults, no removed members.
 */
import { createHash } from 'node:crypto'
import type { FieldError } from '@work-manager/contract'
import type { AnySchema } from './any-schema.ts'
import { tooCostly } from './field-errors.ts'
import { createJudge, judgeWithin, stepsAtOnce } from './json-schema-judge.ts'
import { OutOfSteps } from './judge.ts'
import { JudgeLine } from './judge-line.ts'
import type { JsonSchema } from './keywords.ts'
import { boundedSchema } from './schema-limits.ts'
import { SchemaRefusedError } from './schema-refused.ts'
import { isStandardSchema, standardValidator } from './standard-schema.ts'
import { refinementsOf } from './typebox-refinements.ts'

export { SchemaRefusedError } from './schema-refused.ts'
export type { JsonSchema } from './keywords.ts'

export interface Validator {
  /** JSON Schema 2020-12, to show to agents and to store with the order. `{}` when a Standard Schema library cannot describe itself. */
  readonly jsonSchema: JsonSchema
  /**
   * What is wrong with the value, at most 50 entries; an empty list means it matches. A promise where it takes long: it is judged on a
   * thread of its own. Refuses with: busy; whatever a refinement or a schema library throws.
   */
  validate(value: unknown): readonly FieldError[] | Promise<readonly FieldError[]>
}

/** One for the process: what is judged there is bounded, and so is what waits. */
export const judgeLine = new JudgeLine()
const compiled = new Map<string, Validator>()

function compileJsonSchema(schema: object): Validator {
  const refinements = refinementsOf(schema)
  const jsonSchema = boundedSchema(schema)
  const text = JSON.stringify(jsonSchema)
  const key = createHash('sha256').update(text).digest('base64')
  const hasCode = refinements.size > 0
  const known = hasCode ? undefined : compiled.get(key)
  if (known) return known
  const judge = createJudge(jsonSchema, refinements)
  const validator: Validator = {
    jsonSchema,
    validate(value) {
      // Functions of the author's stay on this thread, and so does what they are asked about.
      if (hasCode) return judgeWithin(judge, value, stepsAtOnce)
      try {
        return judge.judge(value, stepsAtOnce)
      } catch (error) {
        if (error instanceof OutOfSteps && error.isFinal) return [tooCostly()]
        if (error instanceof OutOfSteps) return judgeLine.judge(key, text, JSON.stringify(value))
        throw error
      }
    },
  }
  if (!hasCode) compiled.set(key, validator)
  return validator
}

/**
 * Compiles a plain JSON Schema, a TypeBox schema or any Standard Schema.
 * Refuses with: SchemaRefusedError (not a schema, too large or deep, a keyword that is not judged exactly, a remote $ref, a pattern that
 * needs backtracking, a schema that changes values).
 */
export function compileSchema(schema: AnySchema): Validator {
  // ArkType's schemas are callable, so a function with '~standard' is a schema too.
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null || Array.isArray(schema))
    throw noSchema('A schema must be an object')
  if (isStandardSchema(schema)) return standardValidator(schema)
  if (typeof schema === 'function') throw noSchema('A function is not a schema')
  return compileJsonSchema(schema)
}

const noSchema = (problem: string): SchemaRefusedError =>
  new SchemaRefusedError(problem, {
    pointer: '',
    keyword: '',
    advice: 'Give a JSON Schema, a TypeBox schema or a Standard Schema such as Zod.',
  })
