/** The result of a run: as tables on a screen, as Markdown for docs/benchmarks.md, as JSON for programs. */
import { parts, type ProcessorTime } from './processor-time.ts'
import type { Row } from './suite.ts'
import { comparisons, promises } from './targets.ts'
import { scenarios } from './scenarios/index.ts'

export interface Result {
  readonly date: string
  readonly seconds: number
  readonly machine: { readonly cores: number; readonly memoryGiB: number; readonly system: string; readonly processor: string }
  readonly versions: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
}

export const withComparisons = (result: Result) => ({
  ...result,
  comparisons: comparisons(result.rows),
  promises: promises(result.rows, result.machine.cores),
})

type Table = readonly (readonly string[])[]

const verdict = (met: boolean | null) => (met === null ? '' : met ? 'yes' : 'no')
const rate = (perSecond: number) => (perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString('en'))

function comparisonTable({ rows }: Result): Table {
  const lines = comparisons(rows).map(({ what, clients, ratio, better, asked, stretch, met }) => {
    const target = (value: number | null) => (value === null ? '' : `${better === 'more' ? '≥' : '≤'} ${value.toFixed(2)}`)
    const reached = { stretch: 'yes, the stretch too', asked: 'yes', no: 'no' }
    return [
      what,
      String(clients),
      ratio === null ? '–' : ratio.toFixed(2),
      target(asked),
      target(stretch),
      met === null ? '' : reached[met],
    ]
  })
  return [['Ratio', 'clients', 'measured', 'asked', 'stretch', 'met'], ...lines]
}

function promiseTable({ rows, machine }: Result): Table {
  const lines = promises(rows, machine.cores).map(({ what, target, measured, met }) => [what, target, measured, verdict(met)])
  return [['Promise', 'target', 'measured', 'met'], ...lines]
}

function scenarioTable(rows: readonly Row[]): Table {
  const calls = [...new Set(rows.flatMap((row) => Object.keys(row.latencyMs)))]
  const notes = [...new Set(rows.flatMap((row) => Object.keys(row.notes)))]
  const plural = (unit: string) => (unit === 'query' ? 'queries' : `${unit}s`)
  const head = ['', 'clients', `${plural(unitOf(rows))}/s`, ...calls.map((call) => `${call} p50 / p95 / p99 ms`), 'errors', ...notes]
  return [
    head,
    ...rows.map((row) => [
      row.what,
      String(row.clients),
      rate(row.perSecond),
      ...calls.map((call) => {
        const latency = row.latencyMs[call]
        return latency ? [latency.p50, latency.p95, latency.p99].map((value) => value.toFixed(1)).join(' / ') : '–'
      }),
      String(row.errors),
      ...notes.map((note) => row.notes[note] ?? ''),
    ]),
  ]
}

const ms = (value: number | null | undefined) => (value === undefined || value === null ? '–' : value.toFixed(value < 0.995 ? 3 : 2))
const cores = (value: number | null) => (value === null ? '?' : value.toFixed(2))

const unitOf = (rows: readonly Row[]): string => {
  const units = new Set(rows.map(({ unit }) => unit))
  return units.size === 1 ? [...units][0]! : 'step'
}

/** Who spent the processors' time, for each step. */
function processorTable(rows: readonly Row[]): Table {
  const shown = parts.filter((part) => rows.some(({ processor }) => processor.msPerStep[part] !== undefined))
  return [
    [`ms of processor time per ${unitOf(rows)}`, 'clients', 'total', ...shown, 'load', 'foreign cores'],
    ...rows.map(({ what, clients, processor }) => [
      what,
      String(clients),
      ms(processor.totalMsPerStep),
      ...shown.map((part) => ms(processor.msPerStep[part])),
      processor.loadAverage.toFixed(1),
      cores(processor.foreignCores),
    ]),
  ]
}

function processorLine({ msPerStep, totalMsPerStep, loadAverage, foreignCores }: ProcessorTime): string {
  const split = parts.flatMap((part) => (msPerStep[part] === undefined ? [] : [`${part} ${ms(msPerStep[part])}`]))
  return `${ms(totalMsPerStep)} ms = ${split.join(' + ')} · load ${loadAverage.toFixed(1)}, ${cores(foreignCores)} foreign cores`
}

/** Name, sentence and rows of each scenario that ran. */
const ran = ({ rows }: Result) =>
  scenarios
    .map(({ name, about }) => ({ name, about, rows: rows.filter(({ scenario }) => scenario === name) }))
    .filter((one) => one.rows.length > 0)

function aligned(table: Table): string {
  const widths = table[0]!.map((_, n) => Math.max(...table.map((line) => line[n]!.length)))
  return table
    .map((line) =>
      line
        .map((cell, n) => cell.padEnd(widths[n]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function markdown(table: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`
  const [head, ...rest] = table
  return [line(head!), `|${head!.map(() => '---').join('|')}|`, ...rest.map(line)].join('\n')
}

/** One line while the benchmark runs. */
export function rowLine(row: Row): string {
  const calls = Object.entries(row.latencyMs).map(([call, { p50, p99 }]) => `${call} ${p50.toFixed(1)} / ${p99.toFixed(1)} ms`)
  const notes = Object.entries(row.notes).map(([name, value]) => `${name} ${value}`)
  const errors = row.errors === 0 ? [] : [`${row.errors} errors: ${row.errorTexts.join('; ')}`]
  const speed = [row.scenario, row.what, `${row.clients} clients`, `${rate(row.perSecond)}/s`, ...calls, ...notes, ...errors]
  return `${speed.join(' · ')}\n    ${processorLine(row.processor)}`
}

export function screen(result: Result): string {
  const parts = ran(result).map(
    ({ name, about, rows }) => `${name}: ${about}\n\n${aligned(scenarioTable(rows))}\n\n${aligned(processorTable(rows))}`,
  )
  const compared = comparisonTable(result)
  const promised = promiseTable(result)
  if (compared.length > 1) parts.push(aligned(compared))
  if (promised.length > 1) parts.push(aligned(promised))
  return `\n${parts.join('\n\n')}\n`
}

/** Whether the machine was ours alone. */
function machineLoad({ rows, machine }: Result): string {
  const loads = rows.map(({ processor }) => processor.loadAverage)
  const foreign = rows.flatMap(({ processor }) => processor.foreignCores ?? []).toSorted((a, b) => a - b)
  if (foreign.length === 0) return ''
  const loaded = `The load average was ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`
  const [middle, worst] = [foreign[Math.floor(foreign.length / 2)]!, foreign.at(-1)!].map((used) => used.toFixed(2))
  return `${loaded}; of the ${machine.cores} cores, processes that are not of the benchmark used ${middle} (the middle row) to ${worst} (the worst).\n`
}

/** Said beside the ratios: the same three requests are not the same work. */
const whatIsLeftOut = `The three requests are the same, the work is not:

| | Work Manager | BullMQ behind HTTP | pg-boss behind HTTP |
|---|---|---|---|
| who may ask | key, abilities, tenant, quota for each request | anybody | anybody |
| what may be handed in | schema and checks of the type, digest | anything | anything |
| late or second worker | refused by token and generation, in the row | refused by lock token | not refused |
| the same request again | answered the same from the database for three days | done again, or an error | done again, or an error |
| what is kept of it | an event for each of the three, numbered without gaps and chained by hash; who did it, and with which model | the job's last state | the job's last state |
| tenants | row security forced in PostgreSQL | none | none |
| when it is answered | committed, with fsync | appended, with fsync (*always*) or within a second (*everysec*) | committed, with fsync |`

export function page(result: Result): string {
  const { date, machine, versions, seconds } = result
  return `# Benchmarks

Written by \`npm run bench -- --write\`; change the suite (\`bench/\`), not this page.

${date.slice(0, 10)}, ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, ${machine.system}; ${Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')}. The run took ${Math.round(seconds / 60)} minutes.

${machineLoad(result)}
Absolute figures move with the machine and with whatever else runs on it: server, database and load generator share
these cores. **Compare the ratios of one run**, and processor time before rates. How it is measured, and what was learned from it:
[bench/README.md](../bench/README.md).

## Ratios

${markdown(comparisonTable(result))}

What flatters us least comes first. A ratio of things that took turns is the middle of the ratios of each turn.

${whatIsLeftOut}

*Direct SQL* is the faster of two: clients that take items from orders of their own, and clients that take them from the head of one queue, with up
to as many connections as clients. Both run the statements of our own server, one item at a time: it leaves out what the server does, and batches
nothing. That ratio says what batching is worth, not how we compare to others.

## Promises

${markdown(promiseTable(result))}

The seeds are the documents that this product was begun with; their figures are for one process of the predecessor.
${ran(result)
  .map(({ name, about, rows }) => {
    const plans = rows.flatMap(({ what, plan }) =>
      plan === undefined ? [] : [`*${what}*, as PostgreSQL ran it:\n\n\`\`\`text\n${plan}\n\`\`\``],
    )
    return [`\n## ${name}`, about, markdown(scenarioTable(rows)), markdown(processorTable(rows)), ...plans].join('\n\n')
  })
  .join('\n')}
`
}
