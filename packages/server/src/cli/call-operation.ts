/** Calls any operation of the table over HTTP: path, query or body from one flat input. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { ApiAnswer } from './api-client.ts'
import { usageError } from './cli-error.ts'
import type { Context } from './context.ts'
import type { CommandOperation, Member } from './operation-table.ts'

export type Input = Record<string, unknown>

/** Refuses with: whatever the server says (exit code by status), unreachable. */
export async function callOperation<T>(
  context: Context,
  operation: CommandOperation,
  input: Input,
  idempotencyKey?: string,
): Promise<ApiAnswer<T>> {
  const client = await context.client()
  const inPath = new Set(operation.members.filter((member) => member.inPath).map((member) => member.name))
  const route = operation.path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(input[name])))
  const rest = Object.fromEntries(Object.entries(input).filter(([name, value]) => !inPath.has(name) && value !== undefined))
  if (operation.method === 'GET') return { status: 200, body: await client.get<T>(route, flatten(rest)) }
  const wait = typeof rest.wait === 'number' ? rest.wait : 0
  return client.post<T>(route, rest, { idempotencyKey, timeoutMs: (operation.waits ? 60_000 : 30_000) + wait * 1000 })
}

/** `{ filter: { state: 'queued' } }` becomes `filter[state]=queued`, as the server reads it. */
function flatten(input: Input, prefix?: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(input).flatMap(([name, value]) => {
      const key = prefix === undefined ? name : `${prefix}[${name}]`
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(flatten(value as Input, key))
      return [[key, String(value)] as [string, string]]
    }),
  )
}

async function standardInput(context: Context): Promise<string> {
  let text = ''
  for await (const chunk of context.out.streams.stdin.setEncoding('utf8')) text += chunk as string
  return text
}

async function textOf(context: Context, source: string, option: string): Promise<string> {
  if (source === '-') return standardInput(context)
  try {
    return await readFile(path.resolve(context.cwd, source), 'utf8')
  } catch (cause) {
    throw usageError(
      `${option}: the file ${source} cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
      'Name a readable file, or - for standard input.',
    )
  }
}

function parsed(text: string, option: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw usageError(
      `${option} is not JSON: ${(cause as Error).message}.`,
      'Write JSON in single quotes, or put it into a file: @file.json, or - for standard input.',
    )
  }
}

/** A JSON value as it was typed: the text itself, @file, or - for standard input. */
export async function jsonValue(context: Context, text: string, option: string): Promise<unknown> {
  if (text === '-') return parsed(await standardInput(context), option)
  return parsed(text.startsWith('@') ? await textOf(context, text.slice(1), option) : text, option)
}

/** The members that --input holds. Refuses with: usage. */
export async function inputFile(context: Context, source: string | undefined): Promise<Input> {
  if (source === undefined) return {}
  const value = parsed(await textOf(context, source, '--input'), '--input')
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usageError('--input holds no JSON object.', 'Its members are the members of the operation.')
  return value as Input
}

export const optionOf = (member: Pick<Member, 'name'>): string => `--${member.name.replaceAll('_', '-')}`
