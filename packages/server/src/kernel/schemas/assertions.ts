/** Keywords that look at one value alone: its type, its size, its text, which members it has. */
import { isMultipleOf } from './exact-numbers.ts'
import { fitsFormat } from './formats.ts'
import { type Check, countMembers, equalityKey, hasMember, isRecord, type Run } from './judge.ts'
import type { SchemaObject } from './keywords.ts'
import type { LinearRegExp } from './linear-regexp.ts'

type Assertion = (wanted: never, schema: SchemaObject) => Check

/** Of texts whose lengths are compared in characters, not in the units that they are stored in. */
function charactersOf(text: string, run: Run): number {
  run.spend(text.length >> 4)
  let count = 0
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) !== 0xdc00) count++
  return count
}

const hasType: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  object: isRecord,
  array: (value) => Array.isArray(value),
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  string: (value) => typeof value === 'string',
}

const compared =
  (keyword: string, fits: (value: number, limit: number) => boolean): Assertion =>
  (limit: number) =>
  (value, run) =>
    typeof value !== 'number' || fits(value, limit) || run.fail(keyword, { limit })

const counted =
  (keyword: string, count: (value: unknown, run: Run) => number | undefined, fits: (n: number, limit: number) => boolean): Assertion =>
  (limit: number) =>
  (value, run) => {
    const n = count(value, run)
    return n === undefined || fits(n, limit) || run.fail(keyword, { limit })
  }
const least = (n: number, limit: number): boolean => n >= limit
const most = (n: number, limit: number): boolean => n <= limit
const items = (value: unknown): number | undefined => (Array.isArray(value) ? value.length : undefined)
const characters = (value: unknown, run: Run): number | undefined => (typeof value === 'string' ? charactersOf(value, run) : undefined)
const members = (value: unknown, run: Run): number | undefined => (isRecord(value) ? countMembers(value, run) : undefined)

function uniqueItems(wanted: boolean): Check {
  return (value, run) => {
    if (!wanted || !Array.isArray(value)) return true
    const known = new Map<string, number>()
    run.spend(value.length * 4)
    for (const [i, item] of value.entries()) {
      const key = equalityKey(item, run)
      const j = known.get(key)
      if (j !== undefined) return run.fail('uniqueItems', { i, j })
      known.set(key, i)
    }
    return true
  }
}

function oneOfValues(values: readonly unknown[]): Check {
  const keys = new Set(values.map((value) => equalityKey(value)))
  const hasStructures = values.some((value) => typeof value === 'object' && value !== null)
  return (value, run) => {
    const isStructure = typeof value === 'object' && value !== null
    return (!isStructure || hasStructures) && keys.has(equalityKey(value, run)) ? true : run.fail('enum', { allowedValues: values })
  }
}

function equals(wanted: unknown): Check {
  const key = equalityKey(wanted)
  const isStructure = typeof wanted === 'object' && wanted !== null
  return (value, run) =>
    (isStructure === (typeof value === 'object' && value !== null) && key === equalityKey(value, run)) ||
    run.fail('const', { allowedValue: wanted })
}

function required(names: readonly string[]): Check {
  return (value, run) => {
    if (!isRecord(value)) return true
    run.spend(names.length >> 2)
    let all = true
    for (const name of names) if (!hasMember(value, name)) all = run.fail('required', { missingProperty: name })
    return all
  }
}

function dependentRequired(wanted: Readonly<Record<string, readonly string[]>>): Check {
  const entries = Object.entries(wanted)
  return (value, run) => {
    if (!isRecord(value)) return true
    let all = true
    for (const [property, names] of entries) {
      run.spend(1)
      if (!hasMember(value, property)) continue
      for (const name of names) if (!hasMember(value, name)) all = run.fail('dependentRequired', { property, missingProperty: name })
    }
    return all
  }
}

/** Counts what the text costs by this expression, then asks it. */
export function matches(pattern: LinearRegExp, text: string, run: Run): boolean {
  run.spend(pattern.steps(text.length))
  return pattern.test(text)
}

export const patternCheck =
  (pattern: LinearRegExp, source: string): Check =>
  (value, run) =>
    typeof value !== 'string' || matches(pattern, value, run) || run.fail('pattern', { pattern: source })

function format(name: string): Check {
  return (value, run) => {
    if (typeof value === 'string') run.spend(value.length >> 1)
    return fitsFormat(name, value) || run.fail('format', { format: name })
  }
}

function ofType(wanted: string | readonly string[]): Check {
  const types = [wanted].flat()
  const tests = types.map((type) => hasType[type]!)
  return (value, run) => tests.some((test) => test(value)) || run.fail('type', { type: types })
}

/** In the order in which they are judged. */
export const assertions: Readonly<Record<string, Assertion>> = {
  type: ofType,
  const: equals,
  enum: oneOfValues,
  multipleOf: (divisor: number) => (value, run) => {
    if (typeof value !== 'number') return true
    run.spend(Number.isSafeInteger(value) ? 4 : 20)
    return isMultipleOf(value, divisor) || run.fail('multipleOf', { multipleOf: divisor })
  },
  minimum: compared('minimum', (value, limit) => value >= limit),
  maximum: compared('maximum', (value, limit) => value <= limit),
  exclusiveMinimum: compared('exclusiveMinimum', (value, limit) => value > limit),
  exclusiveMaximum: compared('exclusiveMaximum', (value, limit) => value < limit),
  minLength: counted('minLength', characters, least),
  maxLength: counted('maxLength', characters, most),
  format,
  minItems: counted('minItems', items, least),
  maxItems: counted('maxItems', items, most),
  uniqueItems,
  minProperties: counted('minProperties', members, least),
  maxProperties: counted('maxProperties', members, most),
  required,
  dependentRequired,
}
