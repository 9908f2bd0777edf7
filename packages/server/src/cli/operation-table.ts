/**
 * What the command line knows about the operations: names, routes and members, read from their schemas. It is kept as generated text
 * (generated/operations.ts), so that a command does not load the whole server to learn its own options.
 */
import type { CommandName } from '../kernel/operations/operation.ts'
import { operationsOf, type System } from '../kernel/system.ts'
import type { KernelTools } from '../kernel/tools.ts'

export type MemberKind = 'text' | 'integer' | 'number' | 'boolean' | 'json'

export interface Member {
  readonly name: string
  readonly kind: MemberKind
  readonly required: boolean
  /** Stands in the path of the route. */
  readonly inPath: boolean
  readonly choices?: readonly string[]
  readonly description: string
}

export interface CommandOperation {
  readonly name: string
  readonly summary: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly ability: string
  readonly peopleOnly: boolean
  readonly waits: boolean
  readonly command: CommandName
  /** What the group of its command is for, where the first word does not say it. */
  readonly group?: string
  readonly members: readonly Member[]
}

interface Node {
  readonly type?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Node[]
  readonly description?: string
}

/** How a member is written on a command line; null as an alternative does not count: leaving the option out says it. */
function kindOf(node: Node): { kind: MemberKind; choices?: readonly string[] } {
  const ways = (node.anyOf ?? [node]).filter((way) => way.type !== 'null')
  const [way] = ways
  if (way?.enum?.every((value) => typeof value === 'string')) return { kind: 'text', choices: way.enum }
  if (ways.some((one) => one.type === 'string')) return { kind: 'text' }
  for (const kind of ['integer', 'number', 'boolean'] as const) if (way?.type === kind && ways.length === 1) return { kind }
  return { kind: 'json' }
}

/** The table of what the systems can do. */
export function readOperationTable<T extends KernelTools>(systems: ReadonlyArray<System<T>>): CommandOperation[] {
  const meanings: Record<string, string> = Object.assign({}, ...systems.flatMap(({ nouns }) => nouns.map(({ commands }) => commands)))
  return operationsOf(systems).map(({ name, summary, http, ability, peopleOnly, waits, command, input }) => {
    const schema = input as unknown as { properties: Record<string, Node>; required?: readonly string[] }
    const inPath = http.path.split('/').flatMap((step) => (step.startsWith(':') ? [step.slice(1)] : []))
    const members = Object.entries(schema.properties).map(([member, node]): Member => ({
      name: member,
      ...kindOf(node),
      required: (schema.required ?? []).includes(member),
      inPath: inPath.includes(member),
      description: node.description ?? '',
    }))
    // Arguments stand in the order of the path.
    members.sort((a, b) => Number(b.inPath) - Number(a.inPath) || (a.inPath ? inPath.indexOf(a.name) - inPath.indexOf(b.name) : 0))
    const group = command.words.split(' ')[0]!
    return {
      name,
      summary,
      method: http.method,
      path: http.path,
      ability,
      peopleOnly: peopleOnly === true,
      waits: waits === true,
      command,
      ...(meanings[group] === undefined ? {} : { group: meanings[group] }),
      members,
    }
  })
}

/** The table as the text of generated/operations.ts. */
export function renderOperationTable<T extends KernelTools>(systems: ReadonlyArray<System<T>>): string {
  const rows = readOperationTable(systems).map((row) => `  ${JSON.stringify(row)},`)
  return [
    '/** Generated from packages/server/src/systems.ts; edit that, then run `npm run generate`. */',
    "import type { CommandOperation } from '../operation-table.ts'",
    '',
    'export const operationTable: readonly CommandOperation[] = [',
    ...rows,
    ']',
    '',
  ].join('\n')
}
