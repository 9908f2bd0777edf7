/**
 * Time for durations is monotonic, time for promises is the database's. What is left of the wall clock in the source stands here, with why
 * it may: it names a moment for somebody who has no database, or is shown and decides nothing.
 */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'

const packages = path.resolve(import.meta.dirname, '../../..')
const wallClock = /\bDate\.now\b|\bnew Date\(\)|\bDate\(\)/

const allowed: Readonly<Record<string, string>> = {
  'sdk/src/agent/lease-keeper.ts': 'the end of a lease, as an agent without a database reads it; never less than two heartbeats',
  'sdk/src/send.ts': 'Retry-After as an HTTP date',
  'server/src/cli/commands/items.ts': 'which leases are shown as running',
  'server/src/cli/commands/keys.ts': 'an end that a person names in days from today',
  'server/src/cli/commands/maintenance.ts': 'the name of a file',
  'server/src/doors/mcp/call-tool.ts': 'ages, as they are shown to a model',
  'server/src/embedded/home.ts': 'when a directory was made, for people',
  'server/src/embedded/ownership.ts': 'when an owner began, for people',
  'server/src/kernel/operations/cursor.ts': 'how many days a cursor is taken, by whichever process; it promises nothing else',
  'server/src/kernel/store/preflight.ts': 'how far the two clocks are apart is what it measures',
  'server/src/metrics/series.ts': 'the time of an exemplar, in the collector’s terms',
  'server/src/rate-limits/admission.ts': 'X-RateLimit-Reset is a time of day',
  'server/src/work/applying/order-context.ts': 'a token that another process without our database checks',
  'server/src/work/generators/run-generator.ts': 'what a generator is told of the day; when it is due, the database says',
  'server/src/work/generators/run-generators.ts': 'the next run, as it is shown',
  'server/src/work/order-types/shipped/city-tier-generation.ts': 'the year, as evidence',
  'server/src/work/order-types/shipped/content-fact-check.ts': 'the day, as evidence',
}

async function sources(directory: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const file = path.join(directory, entry.name)
    if (entry.isDirectory() && entry.name !== 'node_modules' && entry.name !== 'fixtures') found.push(...(await sources(file)))
    if (entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts')) found.push(file)
  }
  return found
}

it('nothing measures by the wall clock', async () => {
  const files = (await Promise.all(['contract/src', 'sdk/src', 'server/src'].map((one) => sources(path.join(packages, one))))).flat()
  expect(files.length).toBeGreaterThan(300)
  const using = await Promise.all(
    files.map(async (file) => {
      const code = (await readFile(file, 'utf8')).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
      return wallClock.test(code) ? [path.relative(packages, file)] : []
    }),
  )
  // Durations: `countdown` of kernel/countdown.ts or performance.now(). Promises: `tx.clock()`.
  expect(using.flat().toSorted()).toEqual(Object.keys(allowed).toSorted())
})
