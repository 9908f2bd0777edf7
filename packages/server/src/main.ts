/** The composition root: configuration in, everything wired; start, stop. The only file that knows every room. */
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { pino, type Logger } from 'pino'
import sql from 'sql-template-tag'
import { createAuthenticator, type KeyRow } from './auth/authenticate.ts'
import { createKeyAdmin, type KeyAdmin } from './auth/key-admin.ts'
import { createBackgroundServices } from './background/index.ts'
import type { BackgroundService } from './background/service.ts'
import type { Config } from './config/index.ts'
import { createHttpApp } from './doors/http/app.ts'
import { traceIdOf } from './doors/http/request-id.ts'
import { parseJsonObject } from './doors/http/strict-json.ts'
import { mountMcp } from './doors/mcp/mount.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/index.ts'
import { createHotPath } from './hot-path/hot-path.ts'
import { nullMetrics } from './metrics/metrics.ts'
import { operations } from './operations/index.ts'
import { createOperationRunner, type OperationRunner } from './operations/run-operation.ts'
import type { OperationSettings, Services } from './operations/services.ts'
import type { Generator } from './order-types/define-generator.ts'
import type { OrderType } from './order-types/define-order-type.ts'
import { loadOrderTypes } from './order-types/load-order-types.ts'
import { createRegistry, type OrderTypeRegistry } from './order-types/registry.ts'
import { shippedOrderTypes } from './order-types/shipped/index.ts'
import { openRedis, type RedisConnection, type RedisRole } from './redis/connection.ts'
import { createWorkSignal } from './signals/work-signal.ts'
import { findApiKeyByHash } from './store/api-keys.ts'
import { openDatabase } from './store/database.ts'
import { migrate, type MigrationReport } from './store/migrate.ts'
import { type Finding, inspectDatabase, isFatal } from './store/preflight.ts'

export interface WorkManagerOptions {
  /** Order types besides those that the configuration names. */
  readonly types?: readonly OrderType[]
  readonly generators?: readonly Generator[]
  readonly log?: Logger
}

export interface WorkManager {
  /** Where it listens; null before `listen`. */
  readonly url: string | null
  readonly services: Services
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

/** The database is not fit to serve on; `findings` says why and what to do, all of it. */
export class UnfitDatabaseError extends Error {
  readonly findings: readonly Finding[]
  constructor(findings: readonly Finding[]) {
    super(`The database cannot be used:\n${findings.map((f) => `  - ${f.check}: ${f.detail}${f.fix ? `\n    ${f.fix}` : ''}`).join('\n')}`)
    this.name = 'UnfitDatabaseError'
    this.findings = findings
  }
}

const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

/** What the database asks of this process: urls, and the embedded server when there is one. */
async function provideDatabase(
  config: Config,
  log: Logger,
): Promise<{ runtimeUrl: string; adminUrl: string | undefined; embedded: EmbeddedPostgres | null }> {
  const { url, admin_url: adminUrl, data_directory: directory } = config.database
  if (url !== undefined) return { runtimeUrl: url, adminUrl, embedded: null }
  const embedded = await startEmbeddedPostgres({ directory, log: (line) => log.info({ component: 'embedded' }, line) })
  return { runtimeUrl: embedded.runtimeUrl, adminUrl: embedded.adminUrl, embedded }
}

/** What the configuration uses Redis for; without a url, or without a use, none is opened. */
async function provideRedis(config: Config, log: Logger): Promise<RedisConnection | null> {
  const { url, prefix } = config.redis
  if (url === undefined) return null
  const roles: RedisRole[] = ['rate limits']
  return openRedis({ url, prefix, roles, log })
}

/** Brings the configured database up to date and stops. */
export async function migrateDatabase(config: Config, options: { log?: Logger } = {}): Promise<MigrationReport> {
  const { runtimeUrl, adminUrl, embedded } = await provideDatabase(config, options.log ?? pino({ level: 'silent' }))
  try {
    return await migrate({ adminUrl: adminUrl ?? runtimeUrl, runtimeUrl: adminUrl === undefined ? undefined : runtimeUrl })
  } finally {
    await embedded?.stop()
  }
}

async function loadTypes(config: Config, options: WorkManagerOptions): Promise<OrderTypeRegistry> {
  const loaded = await Promise.all(config.order_types.directories.map((directory) => loadOrderTypes(directory)))
  return createRegistry({
    types: [...(config.order_types.shipped ? shippedOrderTypes : []), ...(options.types ?? []), ...loaded.flatMap((one) => one.types)],
    generators: [...(options.generators ?? []), ...loaded.flatMap((one) => one.generators)],
    defaults: {
      leaseTtlSeconds: config.lease.ttl_seconds,
      maxAttempts: config.retry.default_max_attempts,
      requireLeaseToken: config.lease.require_token,
    },
  })
}

const settingsOf = (config: Config): OperationSettings => ({
  leaseTtlSeconds: config.lease.ttl_seconds,
  heartbeatEverySeconds: config.lease.heartbeat_every_seconds,
  defaultMaxAttempts: config.retry.default_max_attempts,
  backoff: {
    baseSeconds: config.retry.backoff_seconds,
    maxSeconds: config.retry.max_backoff_seconds,
    jitterSeconds: config.retry.jitter_seconds,
  },
  maxPartsPerItem: config.partials.max_parts_per_item,
  maxPartBytes: config.partials.max_payload_bytes,
  defaultPageSize: config.query.default_page_size,
  maxPageSize: config.query.max_page_size,
  requireLeaseToken: config.lease.require_token,
  requireDigest: config.approval.require_digest,
  approveWaitMs: config.approval.wait_ms,
  idempotencyTtlSeconds: config.idempotency.ttl_hours * 3600,
  maxWaitSeconds: config.checkout.max_wait_seconds,
  guardSecret: config.guard.secret ?? null,
  deadLetterAfterHours: config.maintenance.dead_letter_after_hours,
  staleThresholdHours: config.maintenance.stale_order_threshold_hours,
  baseUrl: `${config.server.public_url ?? ''}${config.server.base_paths[0]}`,
})

/**
 * Opens the database (embedded unless configured), migrates it when the owner's connection is known, wires everything.
 * Refuses with: EmbeddedStartError, MigrationError, UnfitDatabaseError, DefinitionError.
 */
export async function openWorkManager(config: Config, options: WorkManagerOptions = {}): Promise<WorkManager> {
  const log = options.log ?? pino({ level: config.server.log_level })
  const types = await loadTypes(config, options)
  const { runtimeUrl, adminUrl, embedded } = await provideDatabase(config, log)
  const undo: Array<() => Promise<unknown>> = [async () => embedded?.stop()]
  try {
    if (adminUrl !== undefined) await migrate({ adminUrl, runtimeUrl })
    const unfit = (await inspectDatabase(runtimeUrl)).filter(isFatal)
    if (unfit.length > 0) throw new UnfitDatabaseError(unfit)
    const database = openDatabase({
      url: runtimeUrl,
      maxConnections: config.database.max_connections, // The error object of the driver holds the whole client, secrets included: only its words are logged.
      onError: (error) => log.warn({ code: 'code' in error ? error.code : undefined }, `a database connection ended: ${error.message}`),
    })
    undo.unshift(() => database.close())
    const redis = await provideRedis(config, log)
    undo.unshift(async () => redis?.close())
    return await wire(config, { types, log, embedded, database, redis, runtimeUrl })
  } catch (error) {
    for (const step of undo) await step()
    throw error
  }
}

async function wire(
  config: Config,
  parts: {
    types: OrderTypeRegistry
    log: Logger
    embedded: EmbeddedPostgres | null
    database: ReturnType<typeof openDatabase>
    redis: RedisConnection | null
    runtimeUrl: string
  },
): Promise<WorkManager> {
  const { types, log, embedded, database, redis, runtimeUrl } = parts
  let draining = false
  let url: string | null = null
  let stopping: Promise<void> | null = null
  const settings = settingsOf(config)
  const [cluster] = await database.system.query<{ epoch: number }>(sql`select epoch from wm.cluster`)
  const { epoch } = cluster!
  const services: Services = {
    db: database.app,
    system: database.system,
    types,
    signal: createWorkSignal(),
    settings,
    log,
    metrics: nullMetrics,
    epoch,
    isDraining: () => draining,
    hotPath: createHotPath({
      connection: database.hot,
      epoch,
      heartbeatEverySeconds: settings.heartbeatEverySeconds,
      idempotencyTtlSeconds: settings.idempotencyTtlSeconds,
    }),
  }
  const background = createBackgroundServices(services, config)
  const keys = createKeyAdmin(services)
  const run = createOperationRunner(services, { idempotencyHeader: config.idempotency.header })

  const lookUp = async (keyHash: Buffer): Promise<KeyRow | null> => {
    const row = await findApiKeyByHash(database.system, keyHash)
    const date = (text: string | null) => (text === null ? null : new Date(text))
    return row
      ? {
          tenantId: row.tenant_id,
          tenantSlug: row.tenant_slug,
          id: row.id,
          principalKind: row.principal_kind,
          principalId: row.principal_id,
          abilities: row.abilities,
          expiresAt: date(row.expires_at),
          revokedAt: date(row.revoked_at),
          tenantSuspended: row.tenant_suspended,
        }
      : null
  }
  const authenticator = createAuthenticator({ lookUp })

  const ready = async () => {
    const checks: Record<string, string> = { storage: embedded?.storageState() ?? 'ok' }
    try {
      await database.system.query(sql`select 1`, 'ready')
      checks.database = 'ok'
    } catch {
      checks.database = 'does not answer'
    }
    return { ok: checks.database === 'ok' && checks.storage !== 'read_only' && !draining, checks }
  }

  const { trust_proxy: trustProxy } = config.server
  const shared = {
    operations,
    runOperation: run,
    authenticate: (header: string | undefined) => authenticator.authenticate(header),
    log,
    version,
    storage: () => embedded?.storageState() ?? ('ok' as const),
    draining: () => draining,
  }
  const app = createHttpApp({
    ...shared,
    settings: {
      mounts: config.server.base_paths,
      bodyLimitBytes: config.server.body_limit_bytes,
      trustProxy: trustProxy === false ? false : [...trustProxy],
      anonymizeIp: config.provenance.anonymize_ip,
      idempotencyHeaders: [...new Set(['idempotency-key', config.idempotency.header.toLowerCase()])],
    },
    health: { live: () => true, ready },
  })
  mountMcp(app, {
    ...shared,
    parseBody: parseJsonObject,
    traceIdOf,
    mounts: config.server.base_paths,
    names: [config.server.public_url, config.server.host],
    anonymizeIp: config.provenance.anonymize_ip,
  })
  embedded?.onExit((why) => log.fatal({ component: 'embedded' }, `the embedded database is gone: ${why}`))
  embedded?.onStorage((state, freeBytes) =>
    log[state === 'ok' ? 'info' : 'warn']({ component: 'embedded', free_bytes: freeBytes }, `storage is ${state}`),
  )
  if (config.background.enabled) for (const service of Object.values(background)) service.start()

  async function stopAll(): Promise<void> {
    draining = true
    const limit = setTimeout(() => app.server.closeAllConnections(), config.server.drain_seconds * 1000)
    app.server.closeIdleConnections()
    await app.close().catch((error: unknown) => log.warn({ err: error }, 'closing the HTTP server'))
    clearTimeout(limit)
    await Promise.all(Object.values(background).map((service) => service.stop()))
    // Facts of the last requests still get their numbers, so that a quiet server leaves a complete record.
    await background.sequencer!.runOnce().catch((error: unknown) => log.warn({ err: error }, 'sequencing at shutdown'))
    await redis?.close()
    await database.close()
    await embedded?.stop()
  }

  return {
    services,
    background,
    keys,
    tenants: { ensure: (slug, name) => keys.tenant(slug, name) },
    embedded,
    run,
    get url() {
      return url
    },
    async listen() {
      url = await app.listen({ host: config.server.host, port: config.server.port, backlog: 1024 })
      return url
    },
    stop() {
      stopping ??= stopAll()
      return stopping
    },
    async doctor() {
      const findings = await inspectDatabase(runtimeUrl)
      const cores = availableParallelism()
      return [
        ...findings,
        {
          check: 'storage',
          ok: (embedded?.storageState() ?? 'ok') === 'ok',
          detail: embedded ? `${embedded.dataDir}: ${embedded.storageState()}` : 'managed by your PostgreSQL',
        },
        { check: 'machine', ok: true, detail: `${cores} cores, Node ${process.versions.node}` },
      ]
    },
  }
}
