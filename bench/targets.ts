/** What is compared, what was promised, and whether it is kept: from the rows of one run. */
import type { Row } from './suite.ts'

export interface Comparison {
  readonly what: string
  readonly clients: number
  readonly ratio: number | null
  readonly target: number | null
  readonly met: boolean | null
}

export interface Promised {
  readonly what: string
  readonly target: string
  readonly measured: string
  readonly met: boolean | null
}

const rowOf = (rows: readonly Row[], series: string, clients: number): Row | undefined =>
  rows.find((row) => row.series === series && row.clients === clients)

/** The most that single statements reached with up to that many connections; the embedded server gives some fifty. */
function directLimit(rows: readonly Row[], clients: number): number | undefined {
  const rates = rows.filter((row) => /^sql (own order|one queue)$/.test(row.series) && row.clients <= clients).map((row) => row.perSecond)
  return rates.length === 0 ? undefined : Math.max(...rates)
}

export function comparisons(rows: readonly Row[]): Comparison[] {
  const made: Comparison[] = []
  const compare = (what: string, clients: number, ours: number | undefined, theirs: number | undefined, target: number | null) => {
    if (ours === undefined && theirs === undefined) return
    const ratio = ours === undefined || theirs === undefined ? null : ours / theirs
    made.push({ what, clients, ratio, target, met: ratio === null || target === null ? null : ratio >= target })
  }
  const rate = (series: string, clients: number) => rowOf(rows, series, clients)?.perSecond
  const counts = [...new Set(rows.map(({ clients }) => clients))].sort((a, b) => a - b)
  for (const clients of counts) {
    const cycle = rate('cycle database', clients)
    if (cycle === undefined) continue
    const sqlTargets: Record<number, number> = { 32: 0.6, 128: 0.8 }
    compare(
      'lease cycle over HTTP ÷ direct SQL, one item at a time',
      clients,
      cycle,
      directLimit(rows, clients),
      sqlTargets[clients] ?? null,
    )
    compare('lease cycle over HTTP ÷ pg-boss behind HTTP', clients, cycle, rate('http pg-boss', clients), clients === 32 ? 3 : null)
    const always = rate('http bullmq always', clients)
    compare('lease cycle over HTTP ÷ BullMQ (appendfsync always) behind HTTP', clients, cycle, always, clients === 32 ? 1 : null)
    compare('lease cycle: Redis ÷ database backend', clients, rate('cycle redis', clients), cycle, null)
  }
  for (const clients of counts) {
    const database = rate('heartbeat database', clients)
    if (database !== undefined)
      compare('heartbeat: Redis ÷ database backend', clients, rate('heartbeat redis', clients), database, clients === 32 ? 2 : null)
  }
  for (const clients of counts) {
    const free = rate('types free', clients)
    const target = clients === 32 ? 0.85 : null
    if (free !== undefined)
      compare('lease cycle, 1,000 types: with a limit for each ÷ without', clients, rate('types limited', clients), free, target)
  }
  for (const clients of counts) {
    const one = rate('workers 1', clients)
    if (one !== undefined) compare('lease cycle: two processes ÷ one', clients, rate('workers 2', clients), one, null)
  }
  return made
}

const ms = (value: number) => `${value.toFixed(1)} ms`

/** The limits of the issue and the figures of the seeds, each beside what was measured. */
export function promises(rows: readonly Row[], cores: number): Promised[] {
  const made: Promised[] = []
  const p99 = (what: string, series: string, call: string, limit: number) => {
    const latency = rowOf(rows, series, 32)?.latencyMs[call]
    if (latency)
      made.push({ what: `${what}, p99 at 32 clients`, target: `< ${limit} ms`, measured: ms(latency.p99), met: latency.p99 < limit })
  }
  p99('checkout', 'cycle database', 'checkout', 50)
  p99('heartbeat', 'cycle database', 'heartbeat', 20)
  p99('submit', 'cycle database', 'submit', 200)
  p99('propose', 'propose', 'propose', 100)
  const soak = rows.find(({ series }) => series === 'keep-alive')
  if (soak) {
    const bad = soak.errors + (soak.figures?.lost ?? 0) + (soak.figures?.illegal ?? 0)
    made.push({
      what: `${soak.clients.toLocaleString('en')} keep-alive clients for ${soak.seconds.toFixed(0)} s`,
      target: '0 errors, 0 lost, 0 illegal states',
      measured: `${soak.errors} errors, ${soak.figures?.lost} lost, ${soak.figures?.illegal} illegal states`,
      met: bad === 0,
    })
  }
  for (const [series, name, leases, p50, most] of [
    ['cycle database', 'database', 20, 50, 200],
    ['cycle redis', 'Redis', 200, 3, 10],
  ] as const) {
    const fastest = rows.filter((row) => row.series === series).sort((a, b) => b.perSecond - a.perSecond)[0]
    const usual = rowOf(rows, series, 8)
    if (fastest) {
      const perCore = fastest.perSecond / cores
      made.push({
        what: `leases per second and core, ${name} backend (whole cycles; all ${cores} cores, database and load generator included)`,
        target: `the seeds: ~${leases}`,
        measured: `${Math.round(perCore).toLocaleString('en')} at ${fastest.clients} clients`,
        met: perCore >= leases,
      })
    }
    const latency = usual?.latencyMs.checkout
    if (latency)
      made.push({
        what: `checkout, ${name} backend, at 8 clients`,
        target: `the seeds: p50 ${p50} ms, p99 ${most} ms`,
        measured: `p50 ${ms(latency.p50)}, p99 ${ms(latency.p99)}`,
        met: latency.p50 <= p50 && latency.p99 <= most,
      })
  }
  return made
}
