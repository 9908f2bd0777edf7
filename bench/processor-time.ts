/**
 * Who spent the processor's time during a measurement: the server, the backends of PostgreSQL by what they do, Redis, and this process,
 * which makes the load. What everybody else used meanwhile is said beside it, because it decides what the row is worth.
 */
import { readFileSync } from 'node:fs'
import os from 'node:os'
import pg from 'pg'

export const parts = ['server', 'hot statements', 'sequencer', 'other backends', 'Redis', 'load generator'] as const
export type Part = (typeof parts)[number]
type Micros = Partial<Record<Part, number>>

export interface ProcessorTime {
  /** Milliseconds for each step, by part; a part that had no part in it, or that cannot be seen from here, is missing. */
  readonly msPerStep: Readonly<Micros>
  /** Null where a part could not be seen: then there is no sum. */
  readonly totalMsPerStep: number | null
  /** The machine's load of the last minute, when the measurement ended. */
  readonly loadAverage: number
  /** Cores that processes kept busy which are not of the benchmark; null where the system does not tell. */
  readonly foreignCores: number | null
}

/** Whose time counts for a row, beside that of the load generator. */
export interface Spenders {
  /** Processor time of the server so far, in microseconds; null: the work is done in this process. */
  readonly server: (() => Promise<number | undefined>) | null
  /** On which its backends work; null: it uses no PostgreSQL. */
  readonly database: string | null
  readonly redisPid: number | null
}

export interface Metering {
  /** The load has ended. */
  stop(): Promise<void>
  /** What was to be numbered when the load ended is numbered: the sequencer's work for it counts as well. */
  numbered(): Promise<void>
  per(steps: number): ProcessorTime
}

const microsPerTick = 10_000

interface ProcessStat {
  readonly name: string
  readonly parentPid: number
  readonly micros: number
  /** Of its children that have ended. */
  readonly endedMicros: number
}

/** Linux only, and only for processes that can be seen from here: undefined for others. */
export function processStat(pid: number): ProcessStat | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The name stands in brackets and may hold anything, brackets and spaces too.
  const end = text.lastIndexOf(')')
  const fields = text.slice(end + 2).split(' ')
  const ticks = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) * microsPerTick
  return { name: text.slice(text.indexOf('(') + 1, end), parentPid: Number(fields[1]), micros: ticks(11), endedMicros: ticks(13) }
}

/** What all processors were busy with since the machine started, with what a hypervisor gave to others. */
function machineMicros(): number | null {
  try {
    const [user, nice, system, , , irq, softIrq, stolen] = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.trim().split(/\s+/).slice(1)
    return [user, nice, system, irq, softIrq, stolen].reduce((sum, ticks) => sum + Number(ticks), 0) * microsPerTick
  } catch {
    return null
  }
}

interface Backend {
  readonly pid: number
  readonly type: string | null
  readonly database: string | null
  readonly application: string
  readonly query: string
  readonly idle: boolean
}

/**
 * The pool of the hot path has the name of the pool beside it. What tells them apart is that it knows no transactions: the last statement
 * of the other is the end of one.
 */
function partOf({ type, database, application, query, idle }: Backend): Part {
  if (type !== 'client backend') return 'other backends'
  if (database?.startsWith('bench_peer_')) return 'hot statements'
  if (/^work-manager (wm_window|wm_hot|bench)$/.test(application)) return 'hot statements'
  if (application === 'work-manager wm_system') return 'sequencer'
  if (application === 'work-manager wm_app' && idle && !/^\s*(begin|commit|rollback)/i.test(query)) return 'hot statements'
  return 'other backends'
}

/** Processor time of the backends, by process. */
interface Snapshot {
  readonly backends: ReadonlyMap<number, { readonly part: Part; readonly micros: number }>
  /** The postmaster's own, and that of backends that have ended. */
  readonly postmasterMicros: number
  readonly endedMicros: number
}

function spentBetween(before: Snapshot, after: Snapshot): Micros {
  const spent: Micros = {}
  const add = (part: Part, micros: number) => (spent[part] = (spent[part] ?? 0) + micros)
  for (const [pid, { part, micros }] of after.backends) add(part, micros - (before.backends.get(pid)?.micros ?? 0))
  let ended = after.endedMicros - before.endedMicros
  for (const [pid, { micros }] of before.backends) if (!after.backends.has(pid)) ended -= micros
  add('other backends', Math.max(0, ended) + after.postmasterMicros - before.postmasterMicros)
  return spent
}

const application = 'work-manager meter'

export class ProcessorMeter {
  private readonly client: pg.Client
  /** A backend keeps its part: what it ran last is not always what it runs. */
  private readonly known = new Map<number, Part>()

  private constructor(client: pg.Client) {
    this.client = client
  }

  static async open(adminUrl: string): Promise<ProcessorMeter> {
    const client = new pg.Client({ connectionString: adminUrl, application_name: application })
    await client.connect()
    return new ProcessorMeter(client)
  }

  /** Null when the backends are not processes that can be seen from here. */
  private async snapshot(database: string): Promise<Snapshot | null> {
    const { rows } = await this.client.query<Backend>(
      `select pid, backend_type as type, datname as database, coalesce(application_name, '') as application, coalesce(query, '') as query,
          coalesce(state = 'idle', false) as idle
         from pg_stat_activity where (datname is null or datname = $2) and application_name is distinct from $1`,
      [application, database],
    )
    const backends = new Map<number, { part: Part; micros: number }>()
    let postmasterPid: number | undefined
    for (const row of rows) {
      const stat = processStat(row.pid)
      if (stat === undefined) continue
      if (!stat.name.startsWith('postgres')) return null
      postmasterPid ??= stat.parentPid
      const part = partOf(row)
      if (part === 'hot statements' || !this.known.has(row.pid)) this.known.set(row.pid, part)
      backends.set(row.pid, { part: this.known.get(row.pid)!, micros: stat.micros })
    }
    const postmaster = postmasterPid === undefined ? undefined : processStat(postmasterPid)
    if (postmaster === undefined) return null
    return { backends, postmasterMicros: postmaster.micros, endedMicros: postmaster.endedMicros }
  }

  async start({ server, database, redisPid }: Spenders): Promise<Metering> {
    const look = async () => ({
      at: performance.now(),
      machine: machineMicros(),
      load: process.cpuUsage(),
      redis: redisPid === null ? undefined : processStat(redisPid)?.micros,
      server: await server?.(),
      backends: database === null ? null : await this.snapshot(database),
    })
    const before = await look()
    let after = before
    let numbered: Snapshot | null = null
    return {
      stop: async () => void (after = await look()),
      numbered: async () => void (numbered = database === null ? null : await this.snapshot(database)),
      per(steps) {
        const spent: Micros = {}
        if (before.server !== undefined && after.server !== undefined) spent.server = after.server - before.server
        if (before.backends && after.backends) {
          Object.assign(spent, spentBetween(before.backends, after.backends))
          const { sequencer } = numbered ? spentBetween(before.backends, numbered) : spent
          if (sequencer !== undefined) spent.sequencer = sequencer
        }
        if (before.redis !== undefined && after.redis !== undefined) spent.Redis = after.redis - before.redis
        spent['load generator'] = after.load.user + after.load.system - before.load.user - before.load.system
        const total = Object.values(spent).reduce((sum, micros) => sum + micros, 0)
        const seen =
          (database === null || after.backends !== null) &&
          (redisPid === null || spent.Redis !== undefined) &&
          (!server || spent.server !== undefined)
        const perStep = (micros: number) => micros / 1000 / Math.max(1, steps)
        const others = before.machine === null || after.machine === null ? null : after.machine - before.machine - total
        return {
          msPerStep: Object.fromEntries(Object.entries(spent).map(([part, micros]) => [part, perStep(micros)])),
          totalMsPerStep: seen ? perStep(total) : null,
          loadAverage: os.loadavg()[0]!,
          foreignCores: others === null || !seen ? null : Math.max(0, others / 1000 / (after.at - before.at)),
        }
      },
    }
  }

  close(): Promise<void> {
    return this.client.end()
  }
}
