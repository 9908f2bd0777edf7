/**
 * doors/http/generated/sample-answers.json: for every operation a request and its answer, recorded from a real server; the documents
 * show them. What is asked stands in `cases.ts` of each noun; each verb has a tenant of its own, so that a new one changes no other.
 * What differs from run to run (ids, times, secrets, hashes, versions) is replaced. Written again with: npx vitest run <this file> -u
 */
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { operations } from '../src/systems.ts'
import { startCaseServer } from './case-server.ts'
import { callerOf, loadCases, openSide, type Request, requestOf, send } from './cases.ts'
import type { TestServer } from './test-server.ts'

interface Sample {
  readonly request: Request
  readonly status: number
  readonly answer: unknown
}

const { cases } = await loadCases()
let server: TestServer
beforeAll(async () => {
  server = await startCaseServer([])
})
afterAll(() => server.stop())

async function record(name: string): Promise<Sample> {
  const operation = operations.find((one) => one.name === name)!
  const own = cases[name]!
  const side = await openSide(server, `sample-${name.replaceAll('_', '-')}`, 'hello', '')
  const request = requestOf(operation, await (own.sample ?? own.call)!(side))
  const asked = send(callerOf(side, own), request)
  const { status, body, text } = await (own.meanwhile ? own.meanwhile(side, asked) : asked)
  expect(status, `${name}: ${text}`).toBe(operation.http.success)
  return { request, status, answer: body }
}

it('every operation has a case that can be shown', () => {
  const missing = operations.filter(({ name }) => cases[name]?.sample === undefined && cases[name]?.call === undefined)
  expect(
    missing.map(({ name }) => name),
    'add them to `cases.ts` of their noun',
  ).toEqual([])
})

const samples: Record<string, unknown> = {}
it.each(operations)('$name answers as its case expects', async ({ name }) => {
  samples[name] = steady(await record(name))
})

it('the documents show what the server says', async () => {
  const target = fileURLToPath(new URL('../src/doors/http/generated/sample-answers.json', import.meta.url))
  await expect(`${JSON.stringify(samples, null, 2)}\n`).toMatchFileSnapshot(target)
})

/** Members whose value says something of this run only. */
const fixed: Readonly<Record<string, string>> = {
  lease_token: 'wl.1.1.q3V0bGVhc2U',
  next_cursor: 'WyJjdXJzb3IiXQ',
  prefix: '3tXa9Kq2',
  user_agent: 'my-agent/1.0',
  lease_expires_at: '2026-01-05T09:10:00.000000Z',
}
const apiKey = 'wm_a_3tXa9Kq2…'

/** The same text for the same run, whatever its ids, times and software; lists of objects cut to their first entry. */
function steady(value: unknown): unknown {
  const seen = new Map<string, string>()
  const nth = (text: string, make: (n: number) => string): string => {
    if (!seen.has(text)) seen.set(text, make(seen.size + 1))
    return seen.get(text)!
  }
  const ofText = (text: string): string =>
    text
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) =>
        nth(id, (n) => `019b8c1e-4000-7000-8000-${String(n).padStart(12, '0')}`),
      )
      .replaceAll(/\b[0-9a-f]{64}\b/g, (digest) => nth(digest, (n) => createHash('sha256').update(`sample ${n}`).digest('hex')))
      .replaceAll(/\b20\d\d-\d\d-\d\dT[\d:]{8}(\.\d+)?(Z|\+00:00)/g, '2026-01-05T09:00:00.000000Z')
      .replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, 'http://127.0.0.1:7420')
  const walk = (node: unknown, name: string): unknown => {
    if (Array.isArray(node)) return (typeof node[0] === 'object' ? node.slice(0, 1) : node).map((entry) => walk(entry, ''))
    if (typeof node === 'object' && node !== null)
      return Object.fromEntries(
        Object.entries(node).map(([key, inner]) => [
          ofText(key),
          walk(inner, name === 'database' && key === 'version' ? 'postgresql' : key),
        ]),
      )
    if (typeof node !== 'string') return node
    if (name === 'postgresql') return '18.4'
    if (/^wm_[a-z]_/.test(node)) return apiKey
    return fixed[name] ?? ofText(node)
  }
  return walk(value, '')
}
