/** What scenarios are, what they answer with, and what the run gives them: a database, a Redis, a server. One server runs at a time. */
import { isInstalled, startTestRedis, type TestRedis } from '../packages/server/testing/peers/redis-server.ts'
import type { Child } from './child-process.ts'
import { type BenchDatabase, type DatabaseUrls, openBenchDatabase } from './database.ts'
import { type Client, type Extent, measure, type Measured } from './measure.ts'
import { ProcessorMeter, type ProcessorTime, type Spenders } from './processor-time.ts'
import { type ServerHandle, type ServerSpec, startServerProcess } from './server-handle.ts'

export interface Options {
  readonly only: readonly string[]
  readonly quick: boolean
  readonly seconds: number
  readonly clients: readonly number[] | null
  readonly rounds: number
  /** How often things that are compared take turns. */
  readonly turns: number
  readonly warmUpSeconds: number
  /** Events of the long history. */
  readonly events: number
  /** Items of the deep queue. */
  readonly depth: number
  readonly batched: boolean
  readonly soak: number | null
  readonly json: boolean
  readonly write: boolean
  readonly help: boolean
  readonly nodeArguments: readonly string[]
}

/** One of several turns of a measurement. */
export interface Round {
  readonly perSecond: number
  readonly totalMsPerStep: number | null
}

/** One measurement. `series` names the kind for the comparisons; `what` is how people read it. */
export interface Row extends Measured {
  readonly scenario: string
  readonly series: string
  readonly what: string
  /** What a step is: cycle, heartbeat, order, query, job. */
  readonly unit: string
  /** Further figures, already in words. */
  readonly notes: Readonly<Record<string, string>>
  /** Further figures for comparisons. */
  readonly figures?: Readonly<Record<string, number>>
  readonly processor: ProcessorTime
  /** Every turn, in the order in which they were taken, when it took turns with others. */
  readonly rounds?: readonly Round[]
  /** What PostgreSQL did for one of the requests. */
  readonly plan?: string
}

export interface Scenario {
  readonly name: string
  /** One sentence for the page. */
  readonly about: string
  run(bench: Bench): Promise<Row[]>
}

/** What a Redis is used as: hints need nothing on disk, a queue does. */
export type RedisKind = 'hints' | 'always' | 'everysec'
const redisSettings: Record<RedisKind, Record<string, string>> = {
  hints: {},
  always: { appendonly: 'yes', appendfsync: 'always' },
  everysec: { appendonly: 'yes', appendfsync: 'everysec' },
}

/** By hand: an address on a socket has no host, which `URL` does not take. */
const databaseName = (url: string): string => decodeURIComponent(/\/([^/?]*)(?:\?|$)/.exec(url)![1]!)

export class Bench {
  readonly options: Options
  readonly database: BenchDatabase
  readonly meter: ProcessorMeter
  private readonly say: (line: string) => void
  private main: DatabaseUrls | null = null
  private current: ServerHandle | null = null
  private readonly warmth = new WeakMap<object, Map<string, number>>()
  private readonly redis = new Map<RedisKind, TestRedis>()

  private constructor(options: Options, database: BenchDatabase, meter: ProcessorMeter, say: (line: string) => void) {
    this.options = options
    this.database = database
    this.meter = meter
    this.say = say
  }

  static async open(options: Options, say: (line: string) => void): Promise<Bench> {
    const database = await openBenchDatabase()
    return new Bench(options, database, await ProcessorMeter.open(database.adminUrl), say)
  }

  /** The numbers of clients to measure with: what the person asked for, else what the scenario likes. */
  clientCounts(usual: readonly number[]): readonly number[] {
    if (this.options.clients) return this.options.clients
    return this.options.quick ? [2] : usual
  }

  private async specOf(wanted: Partial<ServerSpec>): Promise<ServerSpec> {
    this.main ??= await this.database.createMigrated('bench')
    return {
      database: wanted.database ?? this.main,
      redisUrl: wanted.redisUrl ?? null,
      workers: wanted.workers ?? 1,
      keys: wanted.keys ?? Math.max(...this.clientCounts([128])),
      furtherTypes: wanted.furtherTypes ?? 0,
      leasesPerType: wanted.leasesPerType ?? null,
      tenants: wanted.tenants ?? 0,
    }
  }

  /** A server on the database of the run (or the one given), as asked for; the one that runs is kept when it fits. */
  async server(wanted: Partial<ServerSpec> = {}): Promise<ServerHandle> {
    const spec = await this.specOf(wanted)
    const running = this.current?.spec
    const fits =
      running !== undefined &&
      running.database.runtimeUrl === spec.database.runtimeUrl &&
      running.redisUrl === spec.redisUrl &&
      running.workers === spec.workers &&
      running.furtherTypes === spec.furtherTypes &&
      running.leasesPerType === spec.leasesPerType &&
      running.tenants >= spec.tenants &&
      running.keys >= spec.keys
    if (!fits) {
      await this.stopServer()
      this.current = await startServerProcess(spec, this.options.nodeArguments)
    }
    return this.current!
  }

  /** Another one while that runs, for as long as the work takes: two that are compared take turns. */
  async withServerBeside<T>(wanted: Partial<ServerSpec>, work: (server: ServerHandle) => Promise<T>): Promise<T> {
    const server = await startServerProcess(await this.specOf(wanted), this.options.nodeArguments)
    try {
      return await work(server)
    } finally {
      await server.stop()
    }
  }

  /**
   * For how long to work before measuring: code gets fast while it runs, and plans are kept. Whoever has worked before, at the same kind of
   * thing, needs only a little of it again.
   */
  warmUpFor(engine: object, unit: string): number {
    const { warmUpSeconds } = this.options
    const spent = this.warmth.get(engine) ?? new Map<string, number>()
    const seconds = Math.max(warmUpSeconds / 5, warmUpSeconds - (spent.get(unit) ?? 0))
    this.warmth.set(engine, spent.set(unit, (spent.get(unit) ?? 0) + seconds))
    return seconds
  }

  async stopServer(): Promise<void> {
    const running = this.current
    this.current = null
    await running?.stop()
  }

  /** A Redis of the run's own; null when the program is not installed. */
  async redisUrl(kind: RedisKind): Promise<string | null> {
    if (!(await isInstalled('redis-server'))) return null
    let server = this.redis.get(kind)
    if (!server) this.redis.set(kind, (server = await startTestRedis(redisSettings[kind])))
    return server.url
  }

  private async redisPid(url: string | null): Promise<number | null> {
    const server = [...this.redis.values()].find((one) => one.url === url)
    return server ? Number(/process_id:(\d+)/.exec(await server.client.info('server'))![1]) : null
  }

  /** Whose processor time counts for what is measured on this server. */
  async spendersOf(server: ServerHandle): Promise<Spenders> {
    return {
      server: async () => (await server.usage()).cpuMicros,
      database: databaseName(server.spec.database.adminUrl),
      redisPid: await this.redisPid(server.spec.redisUrl),
    }
  }

  /** The same for a peer: behind a server of its own or in this process, on PostgreSQL or on one of our Redis. */
  async spendersOfPeer(server: Child | null, connection: string): Promise<Spenders> {
    const redisPid = await this.redisPid(connection)
    return {
      server: server === null ? null : () => Promise.resolve(server.cpuMicros()),
      database: redisPid === null ? databaseName(connection) : null,
      redisPid,
    }
  }

  /** Measures, and says who spent how much processor time meanwhile. */
  async measure(clients: readonly Client[], extent: Extent, spenders: Spenders): Promise<Measured & { processor: ProcessorTime }> {
    const metering = await this.meter.start(spenders)
    const measured = await measure(clients, extent)
    await metering.stop()
    return { ...measured, processor: metering.per(measured.steps) }
  }

  /** Of the Redis that this run started; null when it needed none. */
  async redisVersion(): Promise<string | null> {
    const [server] = this.redis.values()
    return server ? (/redis_version:(\S+)/.exec(await server.client.info('server'))?.[1] ?? null) : null
  }

  /** One line while the benchmark runs. */
  tell(line: string): void {
    this.say(line)
  }

  async close(): Promise<void> {
    await this.stopServer()
    for (const server of this.redis.values()) await server.stop()
    await this.meter.close()
    await this.database.stop()
  }
}
