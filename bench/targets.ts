/** What is compared, what was promised, and whether it is kept: from the rows of one run. */
import type { Row } from './suite.ts'

/** A ratio of two rows of one run. Most are of rates, where more is better; of processor time less is. */
export interface Comparison {
  readonly what: string
  readonly clients: number
  readonly ratio: number | null
  readonly better: 'more' | 'less'
  readonly asked: number | null
  /** What would be more than was asked. */
  readonly stretch: number | null
  readonly met: 'stretch' | 'asked' | 'no' | null
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

type Targets = Readonly<Record<number, readonly [asked: number, stretch?: number]>>

interface Wanted {
  readonly what: string
  readonly ours: string
  readonly theirs: string
  readonly of?: 'rate' | 'processor time'
  /** By clients. */
  readonly targets?: Targets
}

/** What flatters us least comes first: who reads only the beginning must not be misled. */
const wanted: readonly Wanted[] = [
  {
    what: 'processor time of a lease cycle over HTTP ÷ that of BullMQ (appendfsync always, Redis counted)',
    ours: 'http ours',
    theirs: 'http bullmq always',
    of: 'processor time',
    targets: { 32: [1.5, 1], 128: [1.2, 1] },
  },
  {
    what: 'lease cycles per second over HTTP ÷ BullMQ (appendfsync always)',
    ours: 'http ours',
    theirs: 'http bullmq always',
    targets: { 32: [0.65, 1], 128: [0.85, 1] },
  },
  { what: 'lease cycles per second over HTTP ÷ BullMQ (appendfsync everysec)', ours: 'http ours', theirs: 'http bullmq everysec' },
  {
    what: 'processor time of a lease cycle over HTTP ÷ that of pg-boss',
    ours: 'http ours',
    theirs: 'http pg-boss',
    of: 'processor time',
  },
  {
    what: 'lease cycles per second over HTTP ÷ pg-boss',
    ours: 'http ours',
    theirs: 'http pg-boss',
    targets: { 32: [2.5, 4], 128: [3.5, 4] },
  },
  { what: 'proposals per second over HTTP ÷ jobs that pg-boss is sent', ours: 'propose', theirs: 'send pg-boss', targets: { 32: [2, 4] } },
  {
    what: 'processor time of a proposal over HTTP ÷ that of a job that pg-boss is sent',
    ours: 'propose',
    theirs: 'send pg-boss',
    of: 'processor time',
  },
  {
    what: 'lease cycle: 64 tenants × 2 clients ÷ one tenant × 128',
    ours: 'tenants many',
    theirs: 'tenants one',
    targets: { 128: [0.6, 0.8] },
  },
  {
    what: 'lease cycle, 1,000 types: with a limit for each ÷ without',
    ours: 'types limited',
    theirs: 'types free',
    targets: { 32: [0.85] },
  },
  { what: 'lease cycle: long queue ÷ short queue', ours: 'depth long', theirs: 'depth short', targets: { 32: [0.9] } },
  ...(
    [
      ['lease cycles', 'cycle', {}],
      ['heartbeats', 'heartbeat', { 32: [0.7] }],
      ['newest events', 'page', { 8: [0.7] }],
      ['queued orders', 'list', { 8: [0.7] }],
    ] satisfies ReadonlyArray<[string, string, Targets]>
  ).map(([what, series, targets]): Wanted => ({
    what: `${what} beside a transaction that is idle with a snapshot for a minute ÷ without`,
    ours: `${series} held`,
    theirs: `${series} normal`,
    targets,
  })),
  { what: 'lease cycle: Redis ÷ database backend', ours: 'cycle redis', theirs: 'cycle database', targets: { 32: [1] } },
  { what: 'heartbeat: Redis ÷ database backend', ours: 'heartbeat redis', theirs: 'heartbeat database', targets: { 32: [2] } },
  { what: 'lease cycle: two processes ÷ one', ours: 'workers 2', theirs: 'workers 1' },
]

const middle = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

/** Of two that took turns, the middle of the ratios of each turn: both sides had the same minute. */
function ratioOf(ours: Row, theirs: Row, of: Wanted['of'] = 'rate'): number | null {
  const figure = (row: Pick<Row, 'perSecond'> & { totalMsPerStep: number | null }) => (of === 'rate' ? row.perSecond : row.totalMsPerStep)
  const turnsOf = (row: Row) => row.rounds ?? [{ perSecond: row.perSecond, totalMsPerStep: row.processor.totalMsPerStep }]
  const [a, b] = [turnsOf(ours), turnsOf(theirs)]
  const ratios = a.flatMap((turn, n) => {
    const [mine, other] = [figure(turn), figure(b[n] ?? b[0]!)]
    return mine === null || other === null || other === 0 ? [] : [mine / other]
  })
  return ratios.length === 0 ? null : middle(ratios)
}

function judged(
  names: Pick<Comparison, 'what' | 'clients' | 'better'>,
  ratio: number | null,
  [asked, stretch]: readonly [asked?: number, stretch?: number] = [],
): Comparison {
  const reaches = (target: number) => ratio !== null && (names.better === 'more' ? ratio >= target : ratio <= target)
  const met =
    ratio === null || asked === undefined ? null : stretch !== undefined && reaches(stretch) ? 'stretch' : reaches(asked) ? 'asked' : 'no'
  return { ...names, ratio, asked: asked ?? null, stretch: stretch ?? null, met }
}

export function comparisons(rows: readonly Row[]): Comparison[] {
  const counts = [...new Set(rows.map(({ clients }) => clients))].toSorted((a, b) => a - b)
  const made = wanted.flatMap(({ what, ours, theirs, of = 'rate', targets = {} }) =>
    counts.flatMap((clients) => {
      const [mine, other] = [rowOf(rows, ours, clients), rowOf(rows, theirs, clients)]
      // One side alone is said to be missing, unless nobody asked.
      if (mine === undefined || (other === undefined && targets[clients] === undefined)) return []
      const names = { what, clients, better: of === 'rate' ? 'more' : 'less' } as const
      return [judged(names, other === undefined ? null : ratioOf(mine, other, of), targets[clients])]
    }),
  )
  const directTargets: Targets = { 32: [0.6], 128: [0.8] }
  const direct = counts.flatMap((clients) => {
    const cycle = rowOf(rows, 'cycle database', clients)
    const limit = directLimit(rows, clients)
    if (cycle === undefined || (limit === undefined && directTargets[clients] === undefined)) return []
    const names = { what: 'lease cycle over HTTP ÷ direct SQL, one item at a time', clients, better: 'more' } as const
    return [judged(names, limit === undefined ? null : cycle.perSecond / limit, directTargets[clients])]
  })
  return [...made, ...direct]
}

const ms = (value: number) => `${value.toFixed(1)} ms`

/** Approvals per second of the run that asked for more; only as good as the machine is the same. */
const approvalsBefore = 144
const approvalsTimes = 4

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
  const reading = rowOf(rows, 'query newest events', 1)
  const newest = reading?.latencyMs.read
  if (newest)
    made.push({
      what: `newest 51 of ${reading.notes.events} events, p95, one client`,
      target: '< 2 ms, of 10,000,000',
      measured: ms(newest.p95),
      met: newest.p95 < 2,
    })
  const approving = rowOf(rows, 'approve', 32)
  if (approving) {
    const most = approvalsBefore * approvalsTimes
    made.push({
      what: 'orders approved and applied per second, 32 clients',
      target: `≥ ${most}: ${approvalsTimes} times ${approvalsBefore}, the figure of 2026-11-25 on two cores`,
      measured: Math.round(approving.perSecond).toLocaleString('en'),
      met: approving.perSecond >= most,
    })
  }
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
