/**
 * Turns what a schema library says into the field errors of the wire. The ten codes and sentences of the predecessor are kept word
 * for word (docs/errors.md); every other keyword gets `schema.<keyword>` and a sentence that says what to write instead.
 */
import { type FieldError, nearestName } from '@work-manager/contract'
import type { ErrorObject } from 'ajv'
import { collapseAlternatives, type Alternatives } from './alternatives.ts'

export const maxFieldErrors = 50
const shownValues = 20

const snake = (keyword: string): string => keyword.replace(/^\$/, '').replaceAll(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
const unescapePointer = (step: string): string => step.replaceAll('~1', '/').replaceAll('~0', '~')
const segments = (pointer: string): string[] => (pointer === '' ? [] : pointer.slice(1).split('/').map(unescapePointer))
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

function unknownMember(path: readonly string[], name: string, parentSchema: unknown, keyword: string): FieldError {
  const known = Object.keys((parentSchema as { properties?: object } | undefined)?.properties ?? {})
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
    Array.isArray(p['passingSchemas'])
      ? `${f} matches more than one of the alternatives of its schema; it must match exactly one`
      : `${f} matches none of the alternatives of its schema`,
  ],
  anyOf: (_, f) => ['any_of', `${f} matches none of the alternatives of its schema`],
  not: (_, f) => ['not', `${f} has a value that its schema excludes`],
  contains: (p, f) => ['contains', `${f} must contain at least ${p['minContains']} matching items`],
  discriminator: (p, f) => [
    'discriminator',
    p['error'] === 'tag'
      ? `${f} needs a string member '${p['tag']}' that says which kind it is`
      : `${f} has an unknown kind in '${p['tag']}': ${plain(p['tagValue'])}`,
  ],
  'false schema': (_, f) => ['false_schema', `${f} is not accepted`],
  propertyNames: (p, f) => ['property_names', `${f} has a member whose name is not accepted: '${p['propertyName']}'`],
}

function translate(error: ErrorObject, root: unknown): FieldError {
  const path = segments(error.instancePath)
  const params = error.params as Record<string, unknown>
  if (error.keyword === 'required' || error.keyword === 'dependentRequired') {
    const name = String(params['missingProperty'])
    return {
      field: [...path, name].join('.'),
      code: error.keyword === 'required' ? 'schema.required' : 'schema.dependent_required',
      message: `Field '${name}' is required${error.keyword === 'required' ? '' : ` when '${params['property']}' is given`}`,
    }
  }
  if (error.keyword === 'type') return typeMismatch(path, [params['type']].flat().map(String), root)
  if (error.keyword === 'enum') return oneOfValues(path, params['allowedValues'] as unknown[], root)
  if (error.keyword === 'additionalProperties')
    return unknownMember(path, String(params['additionalProperty']), error.parentSchema, error.keyword)
  if (error.keyword === 'unevaluatedProperties')
    return unknownMember(path, String(params['unevaluatedProperty']), error.parentSchema, error.keyword)
  const sentence = sentences[error.keyword]
  const [code, message] = sentence
    ? sentence(params, subject(path))
    : [snake(error.keyword), `${subject(path)} ${error.message ?? 'is not valid'}`]
  return { field: path.join('.'), code: `schema.${code}`, message }
}

function say(error: ErrorObject | Alternatives, root: unknown): FieldError {
  if ('types' in error) return typeMismatch(segments(error.instancePath), error.types, root)
  if ('values' in error) return oneOfValues(segments(error.instancePath), error.values, root)
  return translate(error, root)
}

/** Ajv's errors as field errors, at most `maxFieldErrors`. */
export function fromAjvErrors(errors: readonly ErrorObject[], root: unknown): FieldError[] {
  // `if` only repeats what its then/else branch already said.
  const useful = errors.filter((e) => e.keyword !== 'if')
  return collapseAlternatives(useful.length > 0 ? useful : errors)
    .slice(0, maxFieldErrors)
    .map((error) => say(error, root))
}

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
