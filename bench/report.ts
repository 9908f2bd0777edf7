/** Figures as a table for people or as JSON for programs. */
import { type Measured, verbs } from './measure.ts'
import type { Lag } from './record.ts'

export interface Run {
  readonly kind: 'http' | 'sql' | 'sql-own-order' | 'sql-batched'
  readonly measured: Measured
  readonly lag: Lag
  readonly rssBytes: number
  /** Processor time of the server process per cycle, in ms; of no meaning for direct SQL. */
  readonly serverCpuMsPerCycle: number
}

const names: Record<Run['kind'], string> = {
  http: 'HTTP',
  sql: 'direct SQL',
  'sql-own-order': 'direct SQL, own order',
  'sql-batched': 'direct SQL ×32',
}
const megabytes = (bytes: number) => Math.round(bytes / 1024 / 1024)
const columns = [
  '',
  'clients',
  'cycles/s',
  ...verbs.map((verb) => `${verb} p50/p95/p99 ms`),
  'errors',
  'server RSS',
  'server CPU',
  'facts behind',
] as const

function cells({ kind, measured, lag, rssBytes, serverCpuMsPerCycle }: Run): string[] {
  const ms = (value: number) => value.toFixed(1)
  return [
    names[kind],
    String(measured.clients),
    Math.round(measured.cyclesPerSecond).toLocaleString('en'),
    ...verbs.map((verb) => {
      const { p50, p95, p99 } = measured.latencyMs[verb]
      return `${ms(p50)} / ${ms(p95)} / ${ms(p99)}`
    }),
    String(measured.errors),
    `${megabytes(rssBytes)} MB`,
    kind === 'http' ? `${serverCpuMsPerCycle.toFixed(3)} ms/cycle` : '–',
    `${lag.behind} (${lag.secondsToCatchUp.toFixed(1)} s)`,
  ]
}

/** One line while the benchmark runs. */
export function printRun(run: Run): void {
  console.log(
    cells(run)
      .map((cell, n) => (n === 0 ? cell : `${columns[n]} ${cell}`))
      .join(' · '),
  )
  for (const text of run.measured.errorTexts) console.log(`  ${text}`)
}

function ratioOf(runs: readonly Run[], clients: number, kind: Run['kind']): number | null {
  const rate = (of: Run['kind']) => runs.find((run) => run.kind === of && run.measured.clients === clients)?.measured.cyclesPerSecond
  const [http, sql] = [rate('http'), rate(kind)]
  return http !== undefined && sql !== undefined ? http / sql : null
}

export function printResult(runs: readonly Run[], hotShare: number, asJson: boolean): void {
  const clientCounts = [...new Set(runs.map((run) => run.measured.clients))]
  const ratios = clientCounts.map((clients) => ({
    clients,
    httpOverSql: ratioOf(runs, clients, 'sql'),
    httpOverSqlOwnOrder: ratioOf(runs, clients, 'sql-own-order'),
  }))
  const shown = (ratio: number | null) => (ratio === null ? '–' : ratio.toFixed(2))
  if (asJson) return console.log(JSON.stringify({ ratios, hotUpdateShareOfItems: hotShare, runs }, null, 2))
  const rows = [[...columns], ...runs.map(cells)]
  const widths = columns.map((_, n) => Math.max(...rows.map((row) => row[n]!.length)))
  console.log(
    `\n${rows
      .map((row) =>
        row
          .map((cell, n) => cell.padEnd(widths[n]!))
          .join('  ')
          .trimEnd(),
      )
      .join('\n')}\n`,
  )
  for (const { clients, httpOverSql, httpOverSqlOwnOrder } of ratios)
    console.log(
      `HTTP / direct SQL at ${clients} clients: ${shown(httpOverSql)} (an own order for each SQL client: ${shown(httpOverSqlOwnOrder)})`,
    )
  console.log(`HOT share of the updates of items: ${(hotShare * 100).toFixed(0)} %`)
}

export function printSoak(rssBefore: number, chunks: readonly Run[], hotShare: number): void {
  const cycles = chunks.reduce((sum, { measured }) => sum + measured.cycles, 0)
  const errors = chunks.reduce((sum, { measured }) => sum + measured.errors, 0)
  const rate = (run: Run | undefined) => Math.round(run?.measured.cyclesPerSecond ?? 0)
  console.log(`\n${cycles.toLocaleString('en')} cycles, ${errors} errors`)
  console.log(
    `server RSS: ${megabytes(rssBefore)} MB before, ${megabytes(chunks.at(-1)?.rssBytes ?? 0)} MB after, ${megabytes(Math.max(...chunks.map((run) => run.rssBytes)))} MB at most`,
  )
  console.log(`cycles/s: ${rate(chunks[0])} in the first ${chunks[0]?.measured.cycles}, ${rate(chunks.at(-1))} in the last`)
  console.log(`HOT share of the updates of items: ${(hotShare * 100).toFixed(0)} %`)
}
