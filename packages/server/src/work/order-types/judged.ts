/** Values against the schemas of a type. Schema libraries and refinements are the author's code: guarded and limited like the rest of it. */
import { type FieldError, WorkError } from '@work-manager/contract'
import type { Validator } from '../../kernel/schemas/schema-validator.ts'
import { guardedWithin, TypeCrashed } from './type-crashed.ts'

/** Of a schema that is judged by a promise: the line of large documents, a library that asks elsewhere. */
const longestMs = 30_000

/**
 * What is wrong with the value; `member` is where the schema stands, such as `result`.
 * Refuses with: busy; TypeCrashed when the schema throws, changes the value or never answers.
 */
export async function judged(type: string, member: string, validator: Validator, value: unknown): Promise<readonly FieldError[]> {
  try {
    const found = validator.validate(value)
    return found instanceof Promise ? await guardedWithin(type, member, longestMs, undefined, () => found) : found
  } catch (cause) {
    if (cause instanceof TypeCrashed && cause.cause instanceof WorkError) throw cause.cause
    if (cause instanceof TypeCrashed || cause instanceof WorkError) throw cause
    throw new TypeCrashed(type, member, `threw: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
