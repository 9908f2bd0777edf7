/** Calls any operation of the table, with one flat input. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { errorCatalogue, WorkError } from '@work-manager/contract/errors'
import type { InputOf, OperationName } from '@work-manager/sdk'
import { JsonScanner } from '../doors/http/json-scanner.ts'
import { usageError } from './cli-error.ts'
import type { Context } from './context.ts'
import type { CommandOperation, Member } from './operation-table.ts'

export type Input = Record<string, unknown>

/** Refuses with: whatever the server says (exit code by status), unreachable. */
export async function callOperation(
  context: Context,
  operation: CommandOperation,
  input: Input,
  idempotencyKey?: string,
): Promise<unknown> {
  const client = await context.client()
  const given = Object.fromEntries(Object.entries(input).map(([name, value]) => [name, isInPath(operation, name) ? String(value) : value]))
  const wait = typeof input.wait === 'number' ? input.wait : 0
  const timeoutMs = (operation.waits ? 60_000 : 30_000) + wait * 1000
  const { body } = await client.call(operation.name as OperationName, given as InputOf<OperationName>, { idempotencyKey, timeoutMs })
  return body
}

const isInPath = (operation: CommandOperation, name: string): boolean =>
  operation.members.some((member) => member.inPath && member.name === name)

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
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw usageError(
      `${option} is not JSON: ${(cause as Error).message}.`,
      'Write JSON in single quotes, or put it into a file: @file.json, or - for standard input.',
    )
  }
  try {
    // What the server would refuse must not be made into something else on its way there, such as a number with fewer digits.
    new JsonScanner(text).scan()
  } catch (error) {
    if (error instanceof WorkError) throw usageError(`${option}: ${error.message}`, error.details.fix ?? errorCatalogue[error.code].fix)
    throw error
  }
  return value
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
