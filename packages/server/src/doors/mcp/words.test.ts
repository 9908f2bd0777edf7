/** Whatever is refused over MCP says it in the words of tools: nobody who calls tools knows routes, queries and headers. */
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorCatalogue, type ErrorCode, WorkError } from '@work-manager/contract'
import { describe, expect, it } from 'vitest'
import { operations } from '../../systems.ts'
import { buildTools } from './tools.ts'
import { problemInWords, toolWords } from './words.ts'

const words = toolWords(operations)
const ofHttp =
  /\b(?:GET|POST|PUT|DELETE) ?\/|\?\w+=|\?wait|Idempotency-Key|Retry-After|\bX-[A-Z]|\bheaders?\b|\b(?:the|JSON|a) body\b|\bHTTP\b|\broutes?\b|Content-Type|Authorization|request line|openapi|query string|\[\w+\]=/i
const codes = Object.keys(errorCatalogue) as ErrorCode[]

describe('every refusal of the catalogue', () => {
  it.each(codes)('%s', (code) => {
    const problem = problemInWords(new WorkError(code), 'request-1', words)
    for (const said of [problem.title, problem.detail, problem.fix, problem.message, problem.error.message])
      expect(said).not.toMatch(ofHttp)
    expect(problem).toMatchObject({ code, status: errorCatalogue[code].status, retry: errorCatalogue[code].retry })
  })
})

/** The texts that refusals and answers are made of, wherever they are thrown below the doors. */
async function textsOfRefusals(): Promise<Array<[string, string]>> {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const files = await Promise.all(
    ['work', 'access', 'ledger', 'kernel', 'housekeeping', 'rate-limits'].map(async (room) =>
      (await readdir(path.join(root, room), { recursive: true })).map((file) => path.join(root, room, file)),
    ),
  )
  return files.flat().flatMap((file) => {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts') || file.endsWith('cases.ts')) return []
    const texts = readFileSync(file, 'utf8').matchAll(
      /\b(?:detail|fix|next|message|advice|summary):\s*(?:[^\n'"`]*\?\s*)?(['"`])((?:\\.|(?!\1).)*)\1/g,
    )
    return [...texts].map(([, , text]): [string, string] => [path.relative(root, file), text!])
  })
}

it('every text of a refusal that the code below the doors makes', async () => {
  const texts = await textsOfRefusals()
  expect(texts.length).toBeGreaterThan(100)
  const wrong = texts.filter(([, text]) => ofHttp.test(words(text)))
  expect(wrong).toEqual([])
})

it('names tools for routes, commands where agents have none, and arguments for headers', () => {
  expect(words('Correct the fields; the schema is at GET /types.')).toBe('Correct the fields; the schema is at work_types.')
  expect(words('GET /items?order=… lists them all.')).toBe('npx work-manager items list lists them all.')
  expect(words('A person lifts the pause: work-manager resume, or POST /pauses/lift.')).toBe(
    'A person lifts the pause: work-manager resume.',
  )
  expect(words('Send Idempotency-Key: <a new UUID>; add ?wait=20.')).toBe('Send idempotency_key: a new UUID; add wait: 20.')
  const late = problemInWords(new WorkError('no_items_available', { retryAfterSeconds: 3 }), 'r', words)
  expect(late).toMatchObject({ retry_after_seconds: 3, fix: expect.stringContaining('wait: 20') })
})

describe('what is listed', () => {
  const listed = buildTools(operations).map((tool) => tool.listed)

  it('is small, in letters that every client takes', () => {
    expect(JSON.stringify({ tools: listed }).length).toBeLessThanOrEqual(16_000)
    for (const { name } of listed) expect(name).toMatch(/^work_[a-z_]{1,40}$/)
  })

  // The findings of `mcp-inspector --cli … --method tools/list --strict`, errors and warnings alike.
  it('has no schema that says nothing, no boolean for a schema and one type per node', () => {
    const found: string[] = []
    const walk = (node: unknown, at: string): void => {
      if (typeof node !== 'object' || node === null || Array.isArray(node)) {
        found.push(`${at}: ${JSON.stringify(node)} for a schema`)
        return
      }
      const schema = node as Record<string, any>
      if (Array.isArray(schema['type'])) found.push(`${at}: several types`)
      if (schema['$ref'] !== undefined) found.push(`${at}: a reference`)
      if (!['type', 'anyOf', 'enum', 'const'].some((word) => word in schema)) found.push(`${at}: says nothing`)
      if (schema['type'] === 'array' && schema['items'] === undefined) found.push(`${at}: a list of what?`)
      for (const [name, member] of Object.entries(schema['properties'] ?? {})) walk(member, `${at}.${name}`)
      for (const [n, branch] of ((schema['anyOf'] as unknown[] | undefined) ?? []).entries()) walk(branch, `${at}|${n}`)
      if (schema['items'] !== undefined) walk(schema['items'], `${at}[]`)
    }
    for (const tool of listed) walk(tool.inputSchema, tool.name)
    expect(found).toEqual([])
  })

  it('speaks of tools and arguments only', () => {
    for (const tool of listed) expect(JSON.stringify(tool)).not.toMatch(ofHttp)
  })
})
