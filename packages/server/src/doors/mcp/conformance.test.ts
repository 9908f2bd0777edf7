/**
 * The official conformance suite of MCP, in both eras: against a real server (the suite knows no keys, so a small proxy in front adds one),
 * and, for tasks and input_required, against its fixtures mounted on the same files. docs/conformance.md has the report.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'
import { startConformanceServer } from './fixtures/conformance-server.ts'
import { conformanceChecks, failuresOf } from './fixtures/conformance-suite.ts'

let story: Story
let proxy: http.Server
let fixtures: Awaited<ReturnType<typeof startConformanceServer>>
beforeAll(async () => {
  story = await startStory()
  fixtures = await startConformanceServer()
  const target = new URL(story.server.url)
  proxy = http.createServer((request, response) => {
    const headers = { ...request.headers, authorization: `Bearer ${story.agent.key}` }
    const passed = http.request(
      { host: target.hostname, port: target.port, path: request.url, method: request.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(response)
      },
    )
    passed.on('error', () => response.destroy())
    response.on('close', () => passed.destroy())
    request.pipe(passed)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
})
afterAll(async () => {
  proxy?.close()
  await fixtures?.close()
  await story?.server.stop()
})

const report = readFileSync(new URL('../../../../../docs/conformance.md', import.meta.url), 'utf8')
/** The rows of the report: `| 2026-07-28 | caching | ours |`. */
const rows = [...report.matchAll(/^\| (20\d\d-\d\d-\d\d) \| `([\w-]+)` \| (server|fixtures) \|/gm)].map(
  ([, version, scenario, against]) => [version!, scenario!, against!] as const,
)

describe('the report', () => {
  it('has both eras, tasks and input_required', () => {
    const named = rows.map(([version, scenario]) => `${version} ${scenario}`)
    expect(new Set(named).size).toBe(rows.length)
    for (const known of ['2025-11-25 tools-list', '2026-07-28 tasks-lifecycle', '2026-07-28 input-required-result-multi-round'])
      expect(named).toContain(known)
  })
})

it.each(rows)('a client of %s: %s (%s)', async (version, scenario, against) => {
  const url = against === 'fixtures' ? fixtures.url : `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/mcp`
  const checks = await conformanceChecks(url, scenario, version)
  // Checks of the stateless server that need tools of the suite's own say so; everything else has to hold.
  expect(failuresOf(checks).filter((failure) => !failure.includes('Not testable: server does not list the diagnostic tool'))).toEqual([])
  expect(checks.some(({ status }) => status === 'SUCCESS')).toBe(true)
})
