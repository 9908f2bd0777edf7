/**
 * What a JSON Schema may contain before it is compiled. A schema becomes code that runs on text from strangers, so it is bounded in
 * size and depth, refers to nothing outside itself, and uses only patterns that a linear engine can run.
 */
import { linearRegExp } from './linear-regexp.ts'

export type JsonSchema = { readonly [keyword: string]: unknown }

const maxBytes = 64 * 1024
const maxDepth = 32
const maxSubschemas = 2_000
/** Subschemas applied to one value, with `$ref` followed: doubling chains of `allOf` reach millions with twenty lines of schema. */
const maxApplications = 5_000
/** `uniqueItems` compares every pair of items that are not plain scalars. */
const maxUniqueItems = 1_000

/** A schema that cannot be accepted: where, which keyword, and what to write instead. */
export class SchemaRefusedError extends Error {
  readonly pointer: string
  readonly keyword: string
  readonly advice: string
  constructor(problem: string, where: { pointer: string; keyword: string; advice: string }, options?: ErrorOptions) {
    super(
      `${problem} (at ${where.pointer === '' ? 'the root' : where.pointer}${where.keyword ? `, keyword ${where.keyword}` : ''}). ${where.advice}`,
      options,
    )
    this.name = 'SchemaRefusedError'
    this.pointer = where.pointer
    this.keyword = where.keyword
    this.advice = where.advice
  }
}

const mapKeywords = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']
const listKeywords = ['allOf', 'anyOf', 'oneOf', 'prefixItems']
const singleKeywords = [
  'items',
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'propertyNames',
  'contains',
  'not',
  'if',
  'then',
  'else',
]
/** Keywords whose subschemas look at the same value as the schema itself. */
const inPlace = new Set(['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas'])

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const escapePointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

function* subschemas(schema: Record<string, unknown>): Generator<{ keyword: string; pointer: string; schema: Record<string, unknown> }> {
  for (const [keyword, value] of Object.entries(schema)) {
    const entries: (readonly [string, unknown])[] =
      mapKeywords.includes(keyword) && isObject(value)
        ? Object.entries(value).map(([key, sub]) => [`/${keyword}/${escapePointer(key)}`, sub] as const)
        : listKeywords.includes(keyword) && Array.isArray(value)
          ? value.map((sub, i) => [`/${keyword}/${i}`, sub] as const)
          : singleKeywords.includes(keyword)
            ? [[`/${keyword}`, value] as const]
            : []
    for (const [pointer, sub] of entries) if (isObject(sub)) yield { keyword, pointer, schema: sub }
  }
}

/** TypeBox and older drafts write tuples as `items: […]`; 2020-12 calls that `prefixItems`. */
function modernTuple(schema: Record<string, unknown>): void {
  if (!Array.isArray(schema['items'])) return
  const rest = schema['additionalItems']
  schema['prefixItems'] = schema['items']
  if (rest === undefined) delete schema['items']
  else schema['items'] = rest
  delete schema['additionalItems']
}

function checkPattern(pattern: unknown, pointer: string, keyword: string): void {
  if (typeof pattern !== 'string') return
  try {
    linearRegExp(pattern)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SchemaRefusedError(
      `The pattern ${JSON.stringify(pattern)} cannot be run in linear time: ${reason}`,
      { pointer, keyword, advice: 'Write it without lookahead, lookbehind, back-references and very large counts.' },
      { cause },
    )
  }
}

function checkUniqueItems(schema: Record<string, unknown>, pointer: string): void {
  if (schema['uniqueItems'] !== true) return
  const items = schema['items']
  const types = isObject(items) ? [items['type']].flat() : []
  const scalar =
    types.length > 0 && types.every((t) => t === 'string' || t === 'number' || t === 'integer' || t === 'boolean' || t === 'null')
  if (scalar) return
  const max = schema['maxItems']
  if (typeof max === 'number' && max <= maxUniqueItems) return
  throw new SchemaRefusedError('uniqueItems compares every pair of items', {
    pointer,
    keyword: 'uniqueItems',
    advice: `Add maxItems of at most ${maxUniqueItems}, or give the items a scalar type.`,
  })
}

/**
 * A plain, bounded copy of a schema, in 2020-12 form.
 * Refuses with: SchemaRefusedError.
 */
export function boundedSchema(schema: object): JsonSchema {
  let text: string
  try {
    text = JSON.stringify(schema)
  } catch (cause) {
    throw new SchemaRefusedError(
      'The schema is not JSON',
      { pointer: '', keyword: '', advice: 'Use $defs and $ref for recursion, not an object that contains itself.' },
      { cause },
    )
  }
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes)
    throw new SchemaRefusedError(`The schema has ${bytes} bytes; at most ${maxBytes} are accepted`, {
      pointer: '',
      keyword: '',
      advice: 'Move repeated shapes to $defs.',
    })
  const root = JSON.parse(text) as Record<string, unknown>
  const ids = new Set<unknown>()
  const refs: { ref: unknown; keyword: string; pointer: string }[] = []
  const pending = [{ schema: root, pointer: '', depth: 1 }]
  const seen: typeof pending = []
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { pointer, depth } = next
    if (depth > maxDepth)
      throw new SchemaRefusedError(`The schema is nested more than ${maxDepth} levels deep`, {
        pointer,
        keyword: '',
        advice: 'Flatten it, or move inner shapes to $defs.',
      })
    if (seen.push(next) > maxSubschemas)
      throw new SchemaRefusedError(`The schema has more than ${maxSubschemas} subschemas`, {
        pointer: '',
        keyword: '',
        advice: 'Move repeated shapes to $defs.',
      })
    modernTuple(next.schema)
    if (typeof next.schema['$id'] === 'string') ids.add(next.schema['$id'])
    for (const keyword of ['$ref', '$dynamicRef']) if (keyword in next.schema) refs.push({ ref: next.schema[keyword], keyword, pointer })
    checkPattern(next.schema['pattern'], pointer, 'pattern')
    if (isObject(next.schema['patternProperties']))
      for (const p of Object.keys(next.schema['patternProperties'])) checkPattern(p, pointer, 'patternProperties')
    checkUniqueItems(next.schema, pointer)
    for (const sub of subschemas(next.schema)) pending.push({ schema: sub.schema, pointer: pointer + sub.pointer, depth: depth + 1 })
  }
  for (const { ref, keyword, pointer } of refs)
    if (typeof ref !== 'string' || !(ref.startsWith('#') || ids.has(ref)))
      throw new SchemaRefusedError(`${keyword} points outside the schema: ${JSON.stringify(ref)}`, {
        pointer,
        keyword,
        advice: 'Copy the shape into $defs and use "#/$defs/Name"; nothing is fetched.',
      })
  const known = new Map<object, number>()
  for (const { schema: each, pointer } of seen) countApplications(root, each, known, new Set(), pointer)
  return root
}

function resolveLocal(root: Record<string, unknown>, ref: unknown): Record<string, unknown> | undefined {
  if (typeof ref !== 'string' || (ref !== '#' && !ref.startsWith('#/'))) return undefined
  let at: unknown = root
  for (const step of ref
    .slice(2)
    .split('/')
    .filter((s) => s !== '')) {
    const key = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
    at = isObject(at) || Array.isArray(at) ? (at as Record<string, unknown>)[key] : undefined
  }
  return isObject(at) ? at : undefined
}

/** How many subschemas one value meets in the worst case. Properties and items are other values, counted on their own. */
function countApplications(
  root: Record<string, unknown>,
  schema: Record<string, unknown>,
  known: Map<object, number>,
  open: Set<object>,
  pointer: string,
): number {
  const before = known.get(schema)
  if (before !== undefined) return before
  if (open.has(schema))
    throw new SchemaRefusedError('The schema refers to itself without looking at an inner value', {
      pointer,
      keyword: '$ref',
      advice: 'Put the reference under properties or items.',
    })
  open.add(schema)
  let total = 1
  const target = resolveLocal(root, schema['$ref'])
  if (target) total += countApplications(root, target, known, open, pointer)
  for (const sub of subschemas(schema)) {
    if (inPlace.has(sub.keyword)) total += countApplications(root, sub.schema, known, open, pointer + sub.pointer)
  }
  if (total > maxApplications)
    throw new SchemaRefusedError(`One value would be checked against more than ${maxApplications} subschemas`, {
      pointer,
      keyword: '',
      advice: 'Replace doubling allOf/anyOf/$ref chains by one shape.',
    })
  open.delete(schema)
  known.set(schema, total)
  return total
}
