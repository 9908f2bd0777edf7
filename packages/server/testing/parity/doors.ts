/** Every door behind one question: this operation, with this input, by this key. What comes back says nothing of the door it came through. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { operationTable } from '../../src/cli/generated/operations.ts'
import { type ConnectedClient, connect, ways } from '../../src/doors/mcp/fixtures/clients.ts'
import { operations } from '../../src/systems.ts'
import { createCaller } from '../test-server.ts'

export type Input = Readonly<Record<string, unknown>>
export interface Call {
  readonly operation: string
  readonly input: Input
  /** Left out: the door makes its own where one is needed. */
  readonly idempotencyKey?: string
}
/** An answer, or a refusal: its code, and what it anchors to fields. */
export type Told =
  | { readonly answer: any; readonly refused?: undefined }
  | { readonly refused: string; readonly errors: unknown; readonly answer?: undefined }
export interface Door {
  readonly name: string
  tell(key: string, call: Call): Promise<Told>
  close(): Promise<void>
}

type Problem = Readonly<Record<string, unknown>>
/** `error_list` is there where `errors` has the predecessor's shape. */
const refusal = (problem: Problem): Told => ({
  refused: String(problem['code']),
  errors: problem['error_list'] ?? problem['errors'] ?? null,
})

export function commandOf(operation: string): (typeof operationTable)[number] {
  const found = operationTable.find((one) => one.name === operation)
  if (!found) throw new Error(`${operation} is not in the table of the command line; run: npm run generate`)
  return found
}
/** The path with its ids, and what is left for the body or the query. */
export function routeOf({ operation, input }: Call): { method: string; path: string; rest: Record<string, unknown> } {
  const { method, path, members } = commandOf(operation)
  const inPath = members.filter((member) => member.inPath).map((member) => member.name)
  return {
    method,
    path: path.replaceAll(/:(\w+)/g, (_, name: string) => String(input[name])),
    rest: Object.fromEntries(Object.entries(input).filter(([name]) => !inPath.includes(name))),
  }
}

function httpDoor(url: string): Door {
  return {
    name: 'HTTP',
    async tell(key, call) {
      const caller = createCaller(url, key, 'parity')
      const { method, path, rest } = routeOf(call)
      const answer =
        method === 'GET'
          ? await caller.get(path)
          : await caller.post(path, rest, call.idempotencyKey === undefined ? {} : { key: call.idempotencyKey })
      return answer.status < 400 ? { answer: answer.body } : refusal(answer.body)
    },
    close: async () => {},
  }
}

/** The arguments of the tool that stands for an operation; ids of the path end in `_id`. */
export function toolCall({ operation, input, idempotencyKey }: Call): { name: string; args: Record<string, unknown> } | undefined {
  const { tool } = operations.find((one) => one.name === operation)!
  if (typeof tool === 'string') return undefined
  const { name } = tool
  const inPath = commandOf(operation).members.filter((member) => member.inPath)
  const args = Object.fromEntries(
    Object.entries(input).map(([member, value]) => [inPath.some((one) => one.name === member) ? `${member}_id` : member, value]),
  )
  // The other doors make a key by themselves; a tool wants to be told one.
  if (operations.find((one) => one.name === operation)!.idempotency !== 'none') args['idempotency_key'] = idempotencyKey ?? randomUUID()
  // Where tools answer slim they are asked for everything, as the other doors always give it.
  if (tool.shows) args['full'] = true
  return { name, args }
}

function mcpDoor(url: string, [era, transport]: (typeof ways)[number]): Door {
  const clients = new Map<string, Promise<ConnectedClient>>()
  return {
    name: `MCP ${era} over ${transport}`,
    async tell(key, call) {
      if (!clients.has(key)) clients.set(key, connect(era, transport, url, key))
      const client = await clients.get(key)!
      const tool = toolCall(call)
      if (tool === undefined) throw new Error(`${call.operation} is no tool`)
      const answer = await client.call(tool.name, tool.args)
      return answer.isError ? refusal(answer.value) : { answer: answer.value }
    },
    async close() {
      for (const client of clients.values()) await (await client).close()
    },
  }
}

/** The SDK is another package, which only tests may import: they hand it in. */
export interface Sdk {
  createClient(options: { url: string; key: string; retry: false }): object
  isWorkError(error: unknown): error is Error & { readonly problem: Problem }
}
export const methodOf = (operation: string): string => operation.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

function sdkDoor(url: string, sdk: Sdk): Door {
  return {
    name: 'SDK',
    async tell(key, { operation, input, idempotencyKey }) {
      const client = sdk.createClient({ url, key, retry: false }) as Record<string, (input: Input, options: object) => Promise<unknown>>
      try {
        return { answer: await client[methodOf(operation)]!(input, idempotencyKey === undefined ? {} : { idempotencyKey }) }
      } catch (error) {
        if (sdk.isWorkError(error)) return refusal(error.problem)
        throw error
      }
    },
    close: async () => {},
  }
}

/** The command as a person would type it. */
export function commandLine({ operation, input, idempotencyKey }: Call): string[] {
  const { members, command: entry } = commandOf(operation)
  const isArgument = (name: string) => members.some((one) => one.name === name && one.inPath) || (entry.arguments ?? []).includes(name)
  const positional = [...members.filter((one) => one.inPath).map((one) => one.name), ...(entry.arguments ?? [])]
  const options = Object.entries(input).filter(([name]) => !isArgument(name))
  const word = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  return [
    ...entry.words.split(' '),
    ...positional.flatMap((name) => (input[name] === undefined ? [] : [word(input[name])])),
    ...options.flatMap(([name, value]) => {
      const option = `--${name.replaceAll('_', '-')}`
      return value === true ? [option] : [option, word(value)]
    }),
    ...(operation === 'approve_order' ? ['--yes'] : []),
    ...(idempotencyKey === undefined ? [] : ['--idempotency-key', idempotencyKey]),
  ]
}

const bin = fileURLToPath(new URL('../../bin/work-manager.mjs', import.meta.url))
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(WORK_MANAGER_|DATABASE_|NODE_ENV)/.test(name)))

function run(words: readonly string[], env: Record<string, string>): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [bin, ...words], {
    cwd: tmpdir(),
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

function parsed(text: string): Problem | undefined {
  try {
    return JSON.parse(text) as Problem
  } catch {
    return undefined
  }
}

/** `orders show` prints the order by itself. */
const wholeAnswer = (operation: string, printed: unknown) => (operation === 'get_order' ? { order: printed } : printed)

function cliDoor(url: string): Door {
  return {
    name: 'CLI',
    async tell(key, call) {
      const { code, stdout, stderr } = await run(['--json', ...commandLine(call)], { WORK_MANAGER_URL: url, WORK_MANAGER_KEY: key })
      const printed = parsed(code === 0 ? stdout : stderr)
      if (printed === undefined) throw new Error(`${call.operation} ended with ${code}: ${stdout}${stderr}`)
      return code === 0 ? { answer: wholeAnswer(call.operation, printed) } : refusal(printed)
    },
    close: async () => {},
  }
}

/** All of them, HTTP first: the others are held against it. */
export const doorsTo = (url: string, sdk: Sdk): readonly Door[] => [
  httpDoor(url),
  ...ways.map((way) => mcpDoor(url, way)),
  sdkDoor(url, sdk),
  cliDoor(url),
]
export const doorNames = ['HTTP', ...ways.map(([era, transport]) => `MCP ${era} over ${transport}`), 'SDK', 'CLI'] as const
