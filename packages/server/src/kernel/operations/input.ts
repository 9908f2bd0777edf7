/** The shape of an operation's input: small coercions that the wire needs, then the schema; what is wrong is told per member. */
import { isUuid } from '../uuid.ts'
import { type FieldError, nearestName, WorkError } from '@work-manager/contract'
import type { TObject } from 'typebox'
import { maxFieldErrors } from '../schemas/field-errors.ts'
import { compileSchema, type Validator } from '../schemas/schema-validator.ts'
import type { Operation } from './operation.ts'
import { paramsOf } from './request-source.ts'

interface Compiled {
  readonly validator: Validator
  readonly members: ReadonlySet<string>
  readonly integers: readonly string[]
  readonly booleans: readonly string[]
  readonly ids: readonly string[]
  /** Members that come in the path; of a GET all members come in the URL. */
  readonly params: readonly string[]
}
const compiled = new WeakMap<TObject, Compiled>()

interface Node {
  readonly type?: string
  readonly format?: string
  readonly anyOf?: readonly Node[]
}

function compile(operation: Operation): Compiled {
  const known = compiled.get(operation.input)
  if (known) return known
  const properties = operation.input.properties as unknown as Record<string, Node>
  const having = (type: string) =>
    Object.entries(properties).flatMap(([name, node]) => (node.type === type || node.anyOf?.some((one) => one.type === type) ? [name] : []))
  const params = paramsOf(operation.http.path)
  const made: Compiled = {
    validator: compileSchema(operation.input),
    members: new Set(Object.keys(properties)),
    integers: having('integer'),
    booleans: having('boolean'),
    ids: params.filter((name) => properties[name]?.format === 'uuid'),
    params,
  }
  compiled.set(operation.input, made)
  return made
}

/** Bodies are scanned when they are parsed; paths and query strings can smuggle U+0000 in as %00, which no text column takes. */
function assertStorable(value: unknown, name: string): void {
  if (typeof value === 'string' && value.includes('\u0000'))
    throw new WorkError('forbidden_character', { detail: `'${name}' holds U+0000 (%00), which cannot be stored or looked for.` })
  if (typeof value === 'object' && value !== null) for (const [key, inner] of Object.entries(value)) assertStorable(inner, `${name}.${key}`)
}

function unknownMember(name: string, members: ReadonlySet<string>): FieldError {
  const near = nearestName(name, members)
  return {
    field: name,
    code: 'unknown_member',
    message: `'${name.slice(0, 64)}' is not a member of this request${near ? `; did you mean '${near}'?` : `; members: ${[...members].join(', ')}.`}`,
  }
}

/**
 * No promise unless a member of a type's own schema is judged elsewhere: most calls need no turn of the loop for it.
 * Refuses with: forbidden_character, id_malformed (a path id that is not a UUID answers as one that does not exist would, 404), validation_failed.
 * `"7"` passes for 7 and `1`, `"1"`, `"true"` for true, as the predecessor's clients send them.
 */
export function readInput(operation: Operation, raw: Record<string, unknown>): Record<string, unknown> | Promise<Record<string, unknown>> {
  const { validator, members, integers, booleans, ids, params } = compile(operation)
  const input: Record<string, unknown> = { ...raw }
  const names = Object.keys(input)
  for (const name of operation.http.method === 'GET' ? names : params) assertStorable(input[name], name)
  for (const name of ids) {
    const value = input[name]
    if (typeof value !== 'string' || !isUuid(value))
      throw new WorkError('id_malformed', { detail: `'${String(value).slice(0, 64)}' is not an id.` })
    input[name] = value.toLowerCase()
  }
  for (const name of integers) if (typeof input[name] === 'string' && /^-?\d{1,15}$/.test(input[name])) input[name] = Number(input[name])
  for (const name of booleans) {
    if (input[name] === 1 || input[name] === '1' || input[name] === 'true') input[name] = true
    else if (input[name] === 0 || input[name] === '0' || input[name] === 'false') input[name] = false
  }
  const hasStrangers = names.some((name) => !members.has(name))
  const known = hasStrangers ? Object.fromEntries(Object.entries(input).filter(([name]) => members.has(name))) : input
  const found = validator.validate(known)
  const accept = (findings: readonly FieldError[]): Record<string, unknown> => {
    if (hasStrangers || findings.length > 0) throw inputRefusal(names, members, findings)
    return input
  }
  return found instanceof Promise ? found.then(accept) : accept(found)
}

function inputRefusal(names: readonly string[], members: ReadonlySet<string>, findings: readonly FieldError[]): WorkError {
  // A megabyte of unknown members is not a megabyte of advice: each one is compared with every known name.
  const unknown = names.filter((name) => !members.has(name)).slice(0, maxFieldErrors)
  const errors = [...unknown.map((name) => unknownMember(name, members)), ...findings].slice(0, maxFieldErrors)
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more error${errors.length > 2 ? 's' : ''})` : ''
  return new WorkError('validation_failed', { detail: `${errors[0]!.message}${more}`, errors })
}
