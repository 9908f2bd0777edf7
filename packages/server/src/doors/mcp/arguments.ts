/** Arguments of a tool → input of an operation. Spellings are translated here; whether the input is right is judged by the operation. */
import { type FieldError, nearestName, WorkError } from '@work-manager/contract'
import { checkedKey } from '../../kernel/operations/idempotency-key.ts'
import { type ParseJson, repaired, withoutNulls } from './lenient-values.ts'
import { doorArguments, keyArgument, type Tool, type ToolOperation } from './tools.ts'

export interface TranslatedCall {
  readonly chosen: ToolOperation
  readonly input: Record<string, unknown>
  readonly idempotencyKey: string | undefined
  /** An agent id that the caller names, as the predecessor's agents do; a claim, like X-Agent-ID. */
  readonly claimedAgentId: string | undefined
  /** What the caller wants to see of the answer. */
  readonly view: View
}

export interface View {
  /** Everything, not only what is usually needed. */
  readonly full: boolean
  /** JSON Pointer of one member, to read it whole, piece by piece. */
  readonly at: string | undefined
  readonly offset: number
}

const agentArgument = 'agent_id'
const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/**
 * Refuses with: validation_failed (an argument that the tool does not have, given twice, or an id that is missing or empty),
 * idempotency_key_malformed.
 */
export function translateArguments(tool: Tool, given: unknown, parse: ParseJson): TranslatedCall {
  const named = withOurNames(tool, asObject(given, parse))
  const chosen = choose(tool, named)
  const input: Record<string, unknown> = {}
  const errors: FieldError[] = []
  const known = [...chosen.members.keys(), ...(tool.takesKey ? [keyArgument] : []), ...tool.doorArguments]
  for (const [argument, value] of named) {
    const member = chosen.members.get(argument)
    if (member !== undefined)
      input[member] = withoutNulls(repaired(argument, value, shapeOf(chosen, member), parse), shapeOf(chosen, member))
    else if (tool.doorArguments.has(argument)) continue
    else if (argument === keyArgument && tool.takesKey) continue
    else if (argument === agentArgument && tool.writes) continue
    // The ids of the way that was not chosen: with both, the first one counts.
    else if (!tool.operations.some(({ ids }) => ids.includes(argument))) errors.push(unknownArgument(tool, argument, known))
  }
  for (const id of tool.operations.flatMap(({ ids }) => ids)) if (isEmpty(named.get(id))) errors.push(emptyId(tool, id))
  for (const id of chosen.ids) if (!named.has(id)) errors.push(missingId(tool, id))
  if (errors.length > 0) throw new WorkError('validation_failed', { detail: errors[0]!.message, errors, extra: { tool: tool.name } })
  return {
    chosen,
    input,
    idempotencyKey: readKey(tool, named.get(keyArgument)),
    claimedAgentId: typeof named.get(agentArgument) === 'string' ? String(named.get(agentArgument)) : undefined,
    view: readView(named),
  }
}

const shapeOf = ({ operation }: ToolOperation, member: string): object => operation.input.properties[member]!

function readView(named: ReadonlyMap<string, unknown>): View {
  const [full, at, offset] = doorArguments.map(({ name }) => named.get(name))
  const wrong = (field: string, message: string): WorkError =>
    new WorkError('validation_failed', { detail: message, errors: [{ field, code: 'schema.type_mismatch', message }] })
  if (at !== undefined && (typeof at !== 'string' || (at !== '' && !at.startsWith('/'))))
    throw wrong('at', "'at' is a JSON Pointer such as /item/input/text, as the list `shortened` of an answer names it.")
  const from = offset === undefined ? 0 : Number(offset)
  if (!Number.isInteger(from) || from < 0) throw wrong('offset', "'offset' is a whole number from 0: the next_offset of the piece before.")
  return { full: full === true || full === 'true', at, offset: from }
}

const isEmpty = (value: unknown): boolean => typeof value === 'string' && value.trim() === ''

/** Models sometimes send the object as text. */
function asObject(given: unknown, parse: ParseJson): Readonly<Record<string, unknown>> {
  if (given === undefined || given === null) return {}
  if (typeof given === 'string' && given.trimStart().startsWith('{'))
    return asObject(repaired('arguments', given, { type: 'object' }, parse), parse)
  if (typeof given === 'object' && !Array.isArray(given)) return given as Record<string, unknown>
  const message = `The arguments are ${Array.isArray(given) ? 'a list' : `a ${typeof given}`}; send an object.`
  throw new WorkError('validation_failed', { detail: message, errors: [{ field: 'arguments', code: 'schema.type_mismatch', message }] })
}

/** null means "left out"; `itemId` and `item` mean `item_id`, `partKey` means `part_key`: the predecessor's spelling and that of HTTP. */
function withOurNames(tool: Tool, given: Readonly<Record<string, unknown>>): Map<string, unknown> {
  const ours = new Map<string, string>([agentArgument, ...tool.doorArguments].map((name) => [name, name]))
  if (tool.takesKey) ours.set(keyArgument, keyArgument)
  for (const { members } of tool.operations)
    for (const [argument, member] of members) {
      ours.set(argument, argument)
      if (!ours.has(member)) ours.set(member, argument)
    }
  const named = new Map<string, unknown>()
  for (const [name, value] of Object.entries(given)) {
    if (value === null) continue
    const argument = ours.get(name) ?? ours.get(snakeCase(name)) ?? name
    if (named.has(argument)) {
      const message = `'${argument}' is given twice, once as '${name.slice(0, 64)}'.`
      throw new WorkError('validation_failed', { detail: message, errors: [{ field: argument, code: 'given_twice', message }] })
    }
    named.set(argument, value)
  }
  return named
}

function choose(tool: Tool, named: ReadonlyMap<string, unknown>): ToolOperation {
  const there = (id: string): boolean => named.get(id) !== undefined && !isEmpty(named.get(id))
  return tool.operations.find(({ ids }) => ids.every(there)) ?? tool.operations.at(-1)!
}

function unknownArgument(tool: Tool, argument: string, known: readonly string[]): FieldError {
  const near = nearestName(snakeCase(argument), known)
  return {
    field: argument.slice(0, 64),
    code: 'unknown_member',
    message: `'${argument.slice(0, 64)}' is not an argument of ${tool.name}${near ? `; did you mean '${near}'?` : `; arguments: ${known.join(', ')}.`}`,
  }
}

function missingId(tool: Tool, id: string): FieldError {
  const either = tool.operations.flatMap(({ ids }) => ids)
  const message =
    either.length > 1
      ? `Either ${either.join(' or ')} must be provided.`
      : `Field '${id}' is required; take it from the answer that named the ${id.replace(/_id$/, '')}.`
  return { field: id, code: 'schema.required', message }
}

/** Where another way has no such id, leaving it out means something; else it comes from an earlier answer. */
function emptyId(tool: Tool, id: string): FieldError {
  const noun = id.replace(/_id$/, '')
  const optional = tool.operations.some(({ ids }) => !ids.includes(id))
  return {
    field: id,
    code: 'empty',
    message: `'${id}' is empty; ${optional ? `leave it out, or give the id of an ${noun}` : `give the id of the ${noun}, from the answer that named it`}.`,
  }
}

function readKey(tool: Tool, value: unknown): string | undefined {
  if (!tool.takesKey || value === undefined || value === null) return undefined
  return checkedKey(value, keyArgument)
}
