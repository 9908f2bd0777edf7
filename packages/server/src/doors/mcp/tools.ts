/** The tools, derived once from the list of operations: names and schemas are made at start, never per request (measured: 4 times slower). */
import { holdsAbility } from '@work-manager/contract'
import type { Tool as ListedTool } from '@modelcontextprotocol/server'
import type { Principal } from '../../kernel/principal.ts'
import type { McpTool, Operation } from '../../kernel/operations/operation.ts'
import { paramsOf, requestSource } from '../../kernel/operations/request-source.ts'
import { listedSchema, type Schema as ListedSchema } from './listed-schema.ts'
import { toolWords, type Words } from './words.ts'

export interface ToolOperation {
  readonly operation: Operation
  /** Argument → member of the operation's input: `order_id` → `order`, the rest as it is. */
  readonly members: ReadonlyMap<string, string>
  /** The arguments that carry ids of the path. */
  readonly ids: readonly string[]
  source(input: Readonly<Record<string, unknown>>): string
}

export interface Tool {
  readonly name: string
  readonly operations: readonly ToolOperation[]
  readonly takesKey: boolean
  readonly writes: boolean
  readonly shows: McpTool['shows']
  readonly defaults: McpTool['defaults']
  /** Those of `doorArguments` that it takes. */
  readonly doorArguments: ReadonlySet<string>
  readonly listed: ListedTool
}

export const keyArgument = 'idempotency_key'
/** What a caller can say about the answer, whichever the operation. */
export const doorArguments = [
  { name: 'full', schema: { type: 'boolean', description: 'Every member, not only what is usually needed.' } },
  { name: 'at', schema: { type: 'string', description: 'JSON Pointer of one member to read whole, as `shortened` names it.' } },
  { name: 'offset', schema: { type: 'integer', description: 'With at: next_offset of the piece before.' } },
] as const

type Schema = ListedSchema & { readonly required?: readonly string[] }
/** TypeBox marks its schemas with symbols; JSON has none. */
const plain = (schema: object): Schema => JSON.parse(JSON.stringify(schema)) as Schema

function toolOperation(operation: Operation): ToolOperation {
  const inPath = paramsOf(operation.http.path)
  const argument = (member: string): string => (inPath.includes(member) ? `${member}_id` : member)
  return {
    operation,
    members: new Map(Object.keys(operation.input.properties).map((member) => [argument(member), member])),
    ids: inPath.map(argument),
    source: requestSource(operation),
  }
}

interface Listing {
  readonly operations: readonly ToolOperation[]
  readonly unlisted: readonly string[]
  readonly takesKey: boolean
  readonly needsKey: boolean
  readonly writes: boolean
  readonly doorArguments: ReadonlySet<string>
  readonly words: Words
}

function inputSchema({ operations, unlisted, takesKey, needsKey, writes, doorArguments: own, words }: Listing): ListedTool['inputSchema'] {
  const properties: Record<string, unknown> = {}
  const required = new Set<string>()
  for (const { operation, members } of operations) {
    const schema = plain(operation.input)
    for (const [argument, member] of members)
      if (!unlisted.includes(argument)) properties[argument] ??= listedSchema(schema.properties![member]!, words)
  }
  for (const [argument] of Object.entries(properties))
    if (
      operations.every(
        ({ operation, members }) => members.has(argument) && (plain(operation.input).required ?? []).includes(members.get(argument)!),
      )
    )
      required.add(argument)
  if (takesKey) {
    properties[keyArgument] = {
      type: 'string',
      description: 'A new UUID for each thing you want done; the same one again when you retry the same call.',
    }
    if (needsKey) required.add(keyArgument)
  }
  // What is written is short enough by itself; `full` is understood there all the same.
  for (const { name, schema } of doorArguments) if (own.has(name) && !writes) properties[name] = schema
  return {
    type: 'object',
    properties: properties as NonNullable<ListedTool['inputSchema']['properties']>,
    required: [...required],
    additionalProperties: false,
  }
}

/** The operations of each tool, in the order in which they are looked at: those with more ids first, then by name. */
function sharers(operations: readonly Operation[]): Map<McpTool, ToolOperation[]> {
  const found = new Map<McpTool, ToolOperation[]>()
  for (const operation of operations)
    if (typeof operation.tool !== 'string') found.set(operation.tool, [...(found.get(operation.tool) ?? []), toolOperation(operation)])
  for (const own of found.values()) own.sort((a, b) => b.ids.length - a.ids.length || (a.operation.name < b.operation.name ? -1 : 1))
  return found
}

/**
 * Builds every tool that the operations name, in their order. Refuses with: an Error when two tools have one name, or when a tool of
 * several operations does not say what it does.
 */
export function buildTools(operations: readonly Operation[]): readonly Tool[] {
  const words = toolWords(operations)
  const tools = [...sharers(operations)].map(([tool, own]) => {
    const { name, title, summary, advice, effects, shows, unlisted = [], defaults, readsPieces } = tool
    if (!/^[A-Za-z0-9_]{1,64}$/.test(name))
      throw new Error(`the tool ${name}: names have letters, digits and _ only; some clients refuse others`)
    const main = own.at(-1)!.operation
    if (summary === undefined && own.length > 1) throw new Error(`the tool ${name} stands for several operations; it needs a summary`)
    const does = summary ?? main.summary
    const writes = main.http.method !== 'GET'
    const takesKey = main.idempotency !== 'none'
    const takes = new Set([...(shows ? ['full'] : []), ...(readsPieces ? ['at', 'offset'] : [])])
    return {
      name,
      operations: own,
      takesKey,
      writes,
      shows,
      defaults,
      doorArguments: takes,
      listed: {
        name,
        title,
        description: words(advice === undefined ? does : `${does} ${advice}`),
        // No output schema: answers are shortened to fit a model, and every client would carry 60 kB of them in its context.
        inputSchema: inputSchema({
          operations: own,
          unlisted,
          takesKey,
          needsKey: main.idempotency === 'required',
          writes,
          doorArguments: takes,
          words,
        }),
        annotations: {
          readOnlyHint: !writes,
          destructiveHint: effects?.destructive ?? false,
          // With the same key, or as a read, repeating changes nothing more.
          idempotentHint: !writes || takesKey,
          openWorldHint: effects?.openWorld ?? false,
        },
      },
    }
  })
  const twice = tools.find(({ name }, n) => tools.findIndex((one) => one.name === name) !== n)
  if (twice) throw new Error(`two tools have the name ${twice.name}; operations that share a tool name one constant`)
  return tools
}

/** True when the credential may call it: what `tools/list` shows. */
export function mayCall(principal: Principal, { operations }: Tool): boolean {
  return operations.every(
    ({ operation }) =>
      holdsAbility(principal.abilities, operation.ability) &&
      (!operation.peopleOnly || principal.kind === 'person' || principal.kind === 'system'),
  )
}
