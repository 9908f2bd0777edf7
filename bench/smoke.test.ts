/** The suite in small, with real servers, databases and peers: every scenario runs and answers in its shape. Never how fast. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { isInstalled } from '../packages/server/testing/peers/redis-server.ts'
import { readOptions } from './options.ts'
import { page, type Result } from './report.ts'
import type { Row } from './suite.ts'
import { scenarios } from './scenarios/index.ts'
import { comparisons, promises } from './targets.ts'

const program = fileURLToPath(new URL('run.ts', import.meta.url))
const run = (...args: string[]) =>
  promisify(execFile)(process.execPath, [program, ...args], { maxBuffer: 64 * 1024 * 1024 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )

test('a quick run measures every scenario without an error, and the page tells all of it', async () => {
  const { code, stdout, stderr } = await run('--quick', '--json')
  expect({ code, stderr }).toMatchObject({ code: 0 })
  const result = JSON.parse(stdout) as Result
  const redis = await isInstalled('redis-server')

  const seriesOf = (scenario: string) => new Set(result.rows.filter((row) => row.scenario === scenario).map(({ series }) => series))
  for (const { name } of scenarios) expect(seriesOf(name).size, name).toBeGreaterThan(0)
  expect([...seriesOf('lease-cycle')]).toEqual(redis ? ['cycle database', 'cycle redis'] : ['cycle database'])
  expect([...seriesOf('workers')]).toEqual(['workers 1', 'workers 2'])
  expect([...seriesOf('peers-http')]).toEqual(
    redis ? ['http ours', 'http pg-boss', 'http bullmq always', 'http bullmq everysec'] : ['http ours', 'http pg-boss'],
  )
  for (const row of result.rows) {
    const name = `${row.scenario} ${row.what}`
    expect({ name, errors: row.errors, texts: row.errorTexts }).toEqual({ name, errors: 0, texts: [] })
    expect(row.steps, name).toBeGreaterThan(0)
    expect(Number.isFinite(row.perSecond), name).toBe(true)
    expect(row.processor.msPerStep['load generator'], name).toBeGreaterThanOrEqual(0)
    // Backends of a PostgreSQL in another container cannot be seen; those of our own can.
    if (process.platform === 'linux' && !process.env.DATABASE_URL) expect(row.processor.totalMsPerStep, name).toBeGreaterThan(0)
    for (const latency of Object.values(row.latencyMs)) {
      const { p50, p95, p99, max } = latency
      expect([p50, p95, p99, max], name).toEqual([p50, p95, p99, max].toSorted((a, b) => a - b))
    }
  }
  expect(result.rows.find(({ series }) => series === 'keep-alive')?.figures).toMatchObject({ lost: 0, illegal: 0 })
  const explained = result.rows.filter(({ plan }) => plan?.includes('Query Text')).map(({ what }) => what)
  // The log of somebody else's PostgreSQL cannot be read.
  if (process.env.DATABASE_URL) expect(explained).toEqual([])
  else expect(explained).toContain('newest events')

  const text = page(result)
  for (const { what } of result.rows) expect(text).toContain(what)
}, 480_000)

test('a wrong command line says what is wrong and what there is', async () => {
  expect(() => readOptions(['--only', 'lease-cycles'])).toThrow("There is no scenario 'lease-cycles'.")
  expect(() => readOptions(['--seconds', '0'])).toThrow("--seconds takes a number above 0, not '0'")
  expect(() => readOptions(['--quick', '--write'])).toThrow('--write renders a whole run')
  expect(await run('--clients', '8,x')).toMatchObject({ code: 2, stderr: expect.stringMatching(/--clients takes.*not 'x'.*--only NAME/s) })
})

const row = (series: string, clients: number, perSecond: number, p99 = 1): Row => ({
  scenario: series,
  series,
  what: series,
  unit: 'cycle',
  clients,
  steps: 1,
  seconds: 60,
  perSecond,
  latencyMs: { checkout: { p50: p99, p95: p99, p99, max: p99 } },
  errors: 0,
  errorTexts: [],
  notes: {},
  figures: { lost: 0, illegal: 0 },
  processor: { msPerStep: {}, totalMsPerStep: null, loadAverage: 0, foreignCores: null },
})

test('ratios take the faster direct SQL with no more connections than clients, and judge only what has a target', () => {
  const made = comparisons([
    row('cycle database', 32, 600),
    row('cycle database', 128, 700),
    row('sql own order', 32, 1000),
    row('sql one queue', 8, 1100),
    row('sql own order', 128, 10),
    row('http ours', 32, 600),
    row('http pg-boss', 32, 150),
  ])
  const direct = made.filter(({ what }) => what.includes('direct SQL'))
  expect(direct.map(({ clients, ratio, met }) => [clients, ratio?.toFixed(2), met])).toEqual([
    [32, '0.55', 'no'],
    [128, '0.64', 'no'],
  ])
  expect(made.find(({ what }) => what.startsWith('lease cycles per second over HTTP ÷ pg-boss'))).toMatchObject({
    ratio: 4,
    asked: 2.5,
    met: 'stretch',
  })
  expect(made.find(({ what }) => what.includes('BullMQ'))).toMatchObject({ ratio: null, met: null })
})

test('what flatters us least comes first: the most demanding peer, by processor time, of which less is better', () => {
  const took = (of: Row, totalMsPerStep: number): Row => ({ ...of, processor: { ...of.processor, totalMsPerStep } })
  const judge = (ours: number) =>
    comparisons([took(row('http ours', 32, 900), ours), took(row('http bullmq always', 32, 1000), 0.4), row('sql own order', 32, 1)])
  expect(judge(0.4 * 1.6)[0]).toMatchObject({ what: expect.stringMatching(/^processor time .* BullMQ/), better: 'less', met: 'no' })
  expect(judge(0.4 * 1.4)[0]).toMatchObject({ met: 'asked' })
  expect(judge(0.4 * 0.9)[0]).toMatchObject({ met: 'stretch' })
})

test('things that took turns are compared turn by turn: a minute in which the machine was slow counts for both', () => {
  const inTurns = (series: string, rates: number[]): Row => ({
    ...row(series, 128, 0),
    rounds: rates.map((perSecond) => ({ perSecond, totalMsPerStep: null })),
  })
  const [made] = comparisons([inTurns('tenants many', [700, 140, 650]), inTurns('tenants one', [1000, 200, 1000])])
  expect(made).toMatchObject({ ratio: 0.7, asked: 0.6, stretch: 0.8, met: 'asked' })
})

test('a promise that is not kept is said to be broken', () => {
  const made = promises([row('cycle database', 32, 600, 51), { ...row('keep-alive', 1000, 10), figures: { lost: 1, illegal: 0 } }], 2)
  expect(made.find(({ what }) => what.startsWith('checkout, p99'))).toMatchObject({ target: '< 50 ms', measured: '51.0 ms', met: false })
  expect(made.find(({ what }) => what.includes('keep-alive'))).toMatchObject({ measured: '0 errors, 1 lost, 0 illegal states', met: false })
  expect(made.find(({ what }) => what.startsWith('leases per second'))).toMatchObject({ target: 'the seeds: ~20', met: true })
})

test('the page in the documentation is of this suite', async () => {
  const written = await readFile(new URL('../docs/benchmarks.md', import.meta.url), 'utf8')
  // Came after the last whole run; the next one empties the list.
  const notYet = ['types', 'tenants', 'held-snapshot', 'depth']
  for (const name of notYet) expect(written).not.toContain(`## ${name}\n`)
  for (const { name, about } of scenarios.filter((one) => !notYet.includes(one.name))) {
    expect(written).toContain(`## ${name}\n`)
    expect(written).toContain(about)
  }
})
