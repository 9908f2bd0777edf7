/**
 * Turns what a schema library says into the field errors of the wire. The ten codes and sentences of the predecessor are kept word
 * for word (docs/errors.md); every other keyword gets `schema.<keyword>` and a sentence that says what to write instead.
 */
import { type FieldError, nearestName } from '@work-manager/contract'
import type { Problem } from './judge.ts'

export const maxFieldErrors = 50
const shownValues = 20

const snake = (keyword: string): string => keyword.replace(/^\$/, '').replaceAll(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
const subject = (path: readonly string[]): string => (path.length === 0 ? 'The value' : `Field '${path.at(-1)}'`)
const plain = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

function valueAt(root: unknown, path: readonly string[]): unknown {
  let at: unknown = root
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
    at = (at as Record<string, unknown>)[step]
  }
  return at
}

/** Agents often send `"{\"a\":1}"` where `{"a":1}` is asked for; saying so saves them a round. */
function looksLikeJson(value: unknown, wanted: readonly string[]): boolean {
  if (typeof value !== 'string' || value.length > 1_000_000 || !/^\s*[[{]/.test(value)) return false
  try {
    return wanted.includes(Array.isArray(JSON.parse(value)) ? 'array' : 'object')
  } catch {
    return false
  }
}

function typeMismatch(path: readonly string[], wanted: readonly string[], root: unknown): FieldError {
  const hint = looksLikeJson(valueAt(root, path), wanted) ? '; this looks like JSON inside a string: send the object itself' : ''
  return { field: path.join('.'), code: 'schema.type_mismatch', message: `${subject(path)} must be of type: ${wanted.join('|')}${hint}` }
}

function oneOfValues(path: readonly string[], allowed: readonly unknown[], root: unknown): FieldError {
  const given = valueAt(root, path)
  const near =
    typeof given === 'string'
      ? nearestName(
          given,
          allowed.filter((v): v is string => typeof v === 'string'),
        )
      : undefined
  const more = allowed.length > shownValues ? `, … (${allowed.length} in all)` : ''
  return {
    field: path.join('.'),
    code: 'schema.enum_invalid',
    message: `${subject(path)} must be one of: ${allowed.slice(0, shownValues).map(plain).join(', ')}${more}${near ? `; did you mean ${near}?` : ''}`,
  }
}

function unknownMember(path: readonly string[], name: string, known: readonly string[], keyword: string): FieldError {
  const near = nearestName(name, known)
  const accepted =
    known.length === 0 ? '' : `; accepted here: ${known.slice(0, shownValues).join(', ')}${known.length > shownValues ? ', …' : ''}`
  return {
    field: [...path, name].join('.'),
    code: `schema.${snake(keyword)}`,
    message: `Field '${name}' is not accepted${near ? `; did you mean '${near}'?` : accepted}`,
  }
}

const examples: Readonly<Record<string, string>> = {
  'date-time': 'such as 2026-01-31T12:00:00Z',
  date: 'such as 2026-01-31',
  uri: 'such as https://example.com/page',
  email: 'such as name@example.com',
  uuid: 'such as 01890a5d-ac96-774b-bcce-b302099a8057',
  hostname: 'such as example.com',
}

type Sentence = (params: Record<string, unknown>, name: string) => readonly [code: string, message: string]
const sentences: Readonly<Record<string, Sentence>> = {
  minLength: (p, f) => ['min_length', `${f} must be at least ${p['limit']} characters`],
  maxLength: (p, f) => ['max_length', `${f} must be no more than ${p['limit']} characters`],
  pattern: (p, f) => ['pattern', `${f} does not match required pattern ${p['pattern']}`],
  minimum: (p, f) => ['minimum', `${f} must be at least ${p['limit']}`],
  maximum: (p, f) => ['maximum', `${f} must be no more than ${p['limit']}`],
  exclusiveMinimum: (p, f) => ['exclusive_minimum', `${f} must be more than ${p['limit']}`],
  exclusiveMaximum: (p, f) => ['exclusive_maximum', `${f} must be less than ${p['limit']}`],
  multipleOf: (p, f) => ['multiple_of', `${f} must be a multiple of ${p['multipleOf']}`],
  minItems: (p, f) => ['min_items', `${f} must contain at least ${p['limit']} items`],
  maxItems: (p, f) => ['max_items', `${f} must contain no more than ${p['limit']} items`],
  minProperties: (p, f) => ['min_properties', `${f} must have at least ${p['limit']} members`],
  maxProperties: (p, f) => ['max_properties', `${f} must have no more than ${p['limit']} members`],
  uniqueItems: (p, f) => ['unique_items', `${f} holds the same item twice: positions ${p['j']} and ${p['i']}`],
  const: (p, f) => ['const', `${f} must be exactly ${JSON.stringify(p['allowedValue'])}`],
  format: (p, f) => [
    'format',
    `${f} must be a valid ${p['format']}${examples[String(p['format'])] ? `, ${examples[String(p['format'])]}` : ''}`,
  ],
  oneOf: (p, f) => [
    'one_of',
    p['fitsSeveral']
      ? `${f} matches more than one of the alternatives of its schema; it must match exactly one`
      : `${f} matches none of the alternatives of its schema`,
  ],
  anyOf: (_, f) => ['any_of', `${f} matches none of the alternatives of its schema`],
  not: (_, f) => ['not', `${f} has a value that its schema excludes`],
  contains: (p, f) => [
    'contains',
    p['maxContains'] === Number.POSITIVE_INFINITY
      ? `${f} must contain at least ${p['minContains']} matching items`
      : `${f} must contain ${p['minContains']} to ${p['maxContains']} matching items`,
  ],
  unevaluatedItems: (p, f) => ['unevaluated_items', `${f} must not contain the item at position ${p['index']}`],
  refine: (p, f) => ['refine', `${f}: ${p['message']}`],
  discriminator: (p, f) => [
    'discriminator',
    p['isText']
      ? `${f} has an unknown kind in '${p['tag']}': ${plain(p['given'])}`
      : `${f} needs a string member '${p['tag']}' that says which kind it is`,
  ],
  'false schema': (_, f) => ['false_schema', `${f} is not accepted`],
  propertyNames: (p, f) => ['property_names', `${f} has a member whose name is not accepted: '${p['propertyName']}'`],
}

function translate({ keyword, path, params }: Problem, root: unknown): FieldError {
  if (keyword === 'required' || keyword === 'dependentRequired') {
    const name = String(params['missingProperty'])
    return {
      field: [...path, name].join('.'),
      code: keyword === 'required' ? 'schema.required' : 'schema.dependent_required',
      message: `Field '${name}' is required${keyword === 'required' ? '' : ` when '${params['property']}' is given`}`,
    }
  }
  if (keyword === 'type') return typeMismatch(path, params['type'] as string[], root)
  if (keyword === 'enum') return oneOfValues(path, params['allowedValues'] as unknown[], root)
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties')
    return unknownMember(path, String(params['name']), params['known'] as string[], keyword)
  const [code, message] = sentences[keyword]!(params, subject(path))
  return { field: path.join('.'), code: `schema.${code}`, message }
}

/** What the judge found, as field errors. */
export const fromProblems = (problems: readonly Problem[], root: unknown): FieldError[] =>
  problems.slice(0, maxFieldErrors).map((problem) => translate(problem, root))

/** The value was given up. */
export const tooCostly = (): FieldError => ({
  field: '',
  code: 'schema.too_costly',
  message: 'The value takes too many steps to check against its schema; send less at a time, or have the schema made simpler',
})

interface StandardIssue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
  readonly code?: unknown
}

/** A Standard Schema library's issues: what is absent is `schema.required`, the rest keeps the library's own sentence. */
export function fromStandardIssues(issues: readonly StandardIssue[], root: unknown): FieldError[] {
  return issues.slice(0, maxFieldErrors).map((issue) => {
    const path = (issue.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step))
    const field = path.join('.')
    if (path.length > 0 && valueAt(root, path) === undefined)
      return { field, code: 'schema.required', message: `Field '${path.at(-1)}' is required` }
    const code = typeof issue.code === 'string' && /^[a-z]+(_[a-z]+)*$/.test(issue.code) ? issue.code : 'invalid'
    const hint = looksLikeJson(valueAt(root, path), ['object', 'array'])
      ? '; this looks like JSON inside a string: send the object itself'
      : ''
    return { field, code: `schema.${code}`, message: `${subject(path)}: ${issue.message}${hint}` }
  })
}
