/** The composition root: configuration in, everything wired; start, stop. What is wired how is in composition/. */
import { listDamaged } from './work/content/store.ts'
import type { SystemDb } from './kernel/store/tx.ts'
import { availableParallelism } from 'node:os'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createKeyAdmin, type KeyAdmin } from './access/key-admin.ts'
import { createBackgroundServices } from './composition/background.ts'
import type { BackgroundService } from './kernel/service.ts'
import { openFitDatabase, provideDatabase } from './composition/database.ts'
import { createDoors } from './composition/doors.ts'
import { provideMetrics, provideRedis, provideTracing } from './composition/observing.ts'
import { loadTypes } from './composition/order-types.ts'
import { createTools } from './composition/tools.ts'
import type { Config } from './config/index.ts'
import { secretsOf } from './config/secrets.ts'
import type { EmbeddedPostgres } from './embedded/index.ts'
import { guardLog } from './log/guard-log.ts'
import { serverLog } from './log/server-log.ts'
import { createRedactor } from './log/redactor.ts'
import { type MetricsPort, openMetricsPort } from './metrics/metrics-port.ts'
import { measured, type UnlistedRefusal } from './kernel/operations/measured-operations.ts'
import { createOperationRunner, type OperationRunner } from './kernel/operations/run-operation.ts'
import type { Tools } from './systems.ts'
import type { Generator } from './work/generators/define-generator.ts'
import type { OrderType } from './work/order-types/define-order-type.ts'
import { AnswerMemory, limitsOfHeap } from './kernel/operations/answer-memory.ts'
import { watchHeap } from './kernel/operations/heap-pressure.ts'
import { redisFinding } from './redis/finding.ts'
import { createWorkSignal, type WorkSignal } from './kernel/signals/work-signal.ts'
import { within } from './kernel/time-limit.ts'
import { type Finding, inspectDatabase } from './kernel/store/preflight.ts'

export { migrateDatabase, UnfitDatabaseError } from './composition/database.ts'
/** For commands that must reach the database past a server that runs the embedded one. */
export { findRunningPostgres } from './embedded/running.ts'

export interface WorkManagerOptions {
  /** Order types besides those that the configuration names. */
  readonly types?: readonly OrderType[]
  readonly generators?: readonly Generator[]
  readonly log?: Logger
  /** In one of several worker processes: what it shares with the others. The process that started them keeps the embedded database. */
  readonly siblings?: Siblings
  /** Told of every refusal that its operation does not list; logged otherwise. */
  readonly onUnlistedRefusal?: UnlistedRefusal
}

export interface Siblings {
  readonly signal: WorkSignal
  storage(): ReturnType<EmbeddedPostgres['storageState']>
}

export interface WorkManager {
  /** Where it listens; null before `listen`. */
  readonly url: string | null
  readonly tools: Tools
  /** The background services by name; `runOnce` does one pass by hand. */
  readonly background: Readonly<Record<string, BackgroundService>>
  readonly keys: KeyAdmin
  readonly tenants: { ensure(slug: string, name: string): Promise<{ id: string }> }
  readonly embedded: EmbeddedPostgres | null
  /** Runs an operation without a door, as the library's own API. */
  readonly run: OperationRunner
  listen(): Promise<string>
  /** Stops taking requests, lets running ones end, stops services and the embedded database. Safe to call twice. */
  stop(): Promise<void>
  doctor(): Promise<Finding[]>
}

/** For all that is closed together, beside what has a limit of its own: less than a supervisor waits before it kills. */
const closeWithinMs = 8000
/** What comes late still gets a moment: most of it has nothing to wait for. */
const leastMs = 250

/** What was opened, in order; closed in the opposite order, whatever one of them says, and without the ones that never end. */
class Opened {
  private readonly closing: Array<{ what: string; hasOwnLimit: boolean; close: () => Promise<unknown> | undefined }> = []
  add(what: string, close: () => Promise<unknown> | undefined, { hasOwnLimit = false } = {}): void {
    this.closing.unshift({ what, close, hasOwnLimit })
  }
  async close(log: Logger): Promise<void> {
    let leftMs = closeWithinMs
    for (const { what, close, hasOwnLimit } of this.closing.splice(0)) {
      const startedAt = performance.now()
      const closed = hasOwnLimit ? close() : within(`closing ${what}`, Math.max(leastMs, leftMs), close)
      await closed?.catch((error: unknown) => log.warn({ err: error }, 'while stopping'))
      if (!hasOwnLimit) leftMs -= performance.now() - startedAt
    }
  }
}

/**
 * Opens the database (embedded unless configured), migrates it when the owner's connection is known, wires everything.
 * Refuses with: EmbeddedStartError, MigrationError, LocksHeldError, UnfitDatabaseError, UnfitRedisError, DefinitionError, TracingStartError.
 */
export async function openWorkManager(config: Config, options: WorkManagerOptions = {}): Promise<WorkManager> {
  const redactor = createRedactor()
  for (const secret of secretsOf(config)) redactor.learn(secret)
  const log = guardLog(options.log ?? serverLog(config.server.log_level), redactor)
  const types = await loadTypes(config, options)
  redactor.learnFields(types.list().flatMap(({ secretFields }) => secretFields))
  const opened = new Opened()
  try {
    const { runtimeUrl, adminUrl, embedded } = await provideDatabase(config, log)
    opened.add('the embedded database', () => embedded?.stop(), { hasOwnLimit: true })
    for (const url of [runtimeUrl, adminUrl]) redactor.learn(url)
    const database = await openFitDatabase(config, { runtimeUrl, adminUrl }, log)
    opened.add('the database', () => database.close(), { hasOwnLimit: true })
    const redis = await provideRedis(config, log)
    opened.add('redis', () => redis?.close())
    const metrics = await provideMetrics(config, { log, types, database, redis })
    opened.add('metrics', () => metrics.close())
    const tracing = await provideTracing(config, log)
    opened.add('tracing', () => tracing.close())

    let draining = false
    const isDraining = () => draining
    const storage = () => options.siblings?.storage() ?? embedded?.storageState() ?? 'ok'
    const signal = options.siblings?.signal ?? createWorkSignal()
    const { tools, hints, authenticator } = await createTools(config, { types, log, database, redis, metrics, tracing, signal, isDraining })
    opened.add('the hints', () => hints?.stop())
    opened.add('the rate limits', async () => tools.rateLimits.stop())

    const background = createBackgroundServices(tools, config)
    // Events of the last requests still get their numbers, so that a quiet server leaves a complete record.
    opened.add('the record', () => background.sequencer!.runOnce())
    opened.add('the background services', () => Promise.all(Object.values(background).map((service) => service.stop())))
    const keys = createKeyAdmin(tools)
    const heap = watchHeap()
    opened.add('the look at the heap', async () => heap.stop())
    const memory = new AnswerMemory(limitsOfHeap(), () => heap.isHigh())
    const unlisted: UnlistedRefusal = (operation, code) => log.error({ operation, code }, 'a refusal that the operation does not list')
    const runner = createOperationRunner(tools, { idempotencyHeader: config.idempotency.header, memory })
    const run = measured(metrics, runner, options.onUnlistedRefusal ?? unlisted)
    const app = createDoors(config, {
      run,
      rateLimits: tools.rateLimits,
      authenticator,
      system: database.system,
      redis,
      metrics,
      log,
      storage,
      isDraining,
      background,
      signal,
    })
    opened.add('the doors', () => closeDoors(app, config.server.drain_seconds), { hasOwnLimit: true })
    embedded?.onExit((why) => log.fatal({ component: 'embedded' }, `the embedded database is gone: ${why}`))
    embedded?.onStorage((state, freeBytes) =>
      log[state === 'ok' ? 'info' : 'warn']({ component: 'embedded', free_bytes: freeBytes }, `storage is ${state}`),
    )
    if (config.background.enabled) for (const service of Object.values(background)) service.start()

    let url: string | null = null
    let metricsPort: MetricsPort | null = null
    opened.add('the port of the metrics', () => metricsPort?.close())
    let stopping: Promise<void> | null = null
    return {
      tools,
      background,
      keys,
      tenants: { ensure: (slug, name) => keys.tenant(slug, name) },
      embedded,
      run,
      get url() {
        return url
      },
      async listen() {
        const { port, host, token } = config.metrics
        const { expose } = metrics
        if (port !== undefined && expose) metricsPort = await openMetricsPort({ port, host, token, expose })
        url = await app.listen({ host: config.server.host, port: config.server.port, backlog: 1024 })
        return url
      },
      stop() {
        draining = true
        stopping ??= opened.close(log)
        return stopping
      },
      async doctor() {
        const storageFinding = {
          check: 'storage',
          ok: (embedded?.storageState() ?? 'ok') === 'ok',
          detail: embedded ? `${embedded.dataDir}: ${embedded.storageState()}` : 'managed by your PostgreSQL',
        }
        const machine = { check: 'machine', ok: true, detail: `${availableParallelism()} cores, Node ${process.versions.node}` }
        return [
          ...(await inspectDatabase(runtimeUrl)),
          await recordFinding(database.system),
          storageFinding,
          ...(redis ? [await redisFinding(redis)] : []),
          machine,
        ]
      },
    }
  } catch (error) {
    await opened.close(log)
    throw error
  }
}

/** Lets running requests end, for as long as they may. */
async function closeDoors(app: FastifyInstance, drainSeconds: number): Promise<void> {
  const limit = setTimeout(() => app.server.closeAllConnections(), drainSeconds * 1000)
  app.server.closeIdleConnections()
  await app.close().finally(() => clearTimeout(limit))
}

/** What the record-checker found last. */
async function recordFinding(system: SystemDb): Promise<Finding> {
  const [first, ...others] = await listDamaged(system)
  if (!first) return { check: 'record', ok: true, detail: 'no damage was found' }
  const more = others.length === 0 ? '' : ` (and ${others.length} more tenants)`
  return {
    check: 'record',
    ok: false,
    detail: `tenant ${first.tenant}, entry ${first.seq}: ${first.detail}${more}`,
    fix: 'Look with `npx work-manager ledger verify --server` and `ledger verify-content`; compare with an export or a backup.',
  }
}
