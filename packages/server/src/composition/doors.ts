/** The doors over the operations: HTTP, and MCP on the same port. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Authenticator } from '../access/authenticate.ts'
import type { Config } from '../config/index.ts'
import { createHttpApp } from '../doors/http/app.ts'
import { mustBeReadWhenWritten } from '../doors/http/connections.ts'
import { parseJsonObject, parseLargeJsonObject } from '../doors/http/strict-json.ts'
import { mountMcp } from '../doors/mcp/mount.ts'
import type { MetricsDriver } from '../metrics/metrics.ts'
import { operations } from '../systems.ts'
import type { OperationRunner } from '../kernel/operations/run-operation.ts'
import type { RateLimits } from '../rate-limits/rate-limits.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { redisState } from '../redis/finding.ts'
import { askDatabase } from '../kernel/store/cluster.ts'
import type { SystemDb } from '../kernel/store/tx.ts'
import type { WorkSignal } from '../kernel/signals/work-signal.ts'
import type { BackgroundService } from '../kernel/service.ts'
import { within } from '../kernel/time-limit.ts'
import { standingStill } from './background.ts'
import { version } from './version.ts'

export interface DoorParts {
  readonly run: OperationRunner
  readonly rateLimits: RateLimits
  readonly authenticator: Authenticator
  readonly system: SystemDb
  readonly redis: RedisConnection | null
  readonly metrics: MetricsDriver
  readonly log: Logger
  readonly storage: () => 'ok' | 'low' | 'read_only'
  readonly isDraining: () => boolean
  readonly background: Readonly<Record<string, BackgroundService>>
  readonly signal: WorkSignal
}

/** Who asks whether we are ready waits for seconds, not for the deadline of a statement. */
const readyWithinMs = 2000

export function createDoors(config: Config, parts: DoorParts): FastifyInstance {
  const { authenticator, system, redis, metrics, log, storage, isDraining, background } = parts
  const { trust_proxy: trustProxy, base_paths: mounts } = config.server

  async function ready(): Promise<{ ok: boolean; checks: Record<string, string> }> {
    const checks: Record<string, string> = { storage: storage() }
    try {
      await within('the database', readyWithinMs, () => askDatabase(system))
      checks.database = 'ok'
    } catch {
      checks.database = 'does not answer'
    }
    if (redis) checks.redis = redisState(redis)
    const still = standingStill(background)
    checks.background = still?.says ?? 'ok'
    // Errors of one service are no reason to take every server out of service; one that does not come back from its work is.
    const ok = checks.database === 'ok' && checks.storage !== 'read_only' && still?.isStuck !== true && !isDraining()
    return { ok, checks }
  }

  const shared = {
    operations,
    runOperation: parts.run,
    authenticate: (header: string | undefined, address: string | undefined) => authenticator.authenticate(header, address),
    log,
    version,
    storage,
    draining: isDraining,
  }
  const app = createHttpApp({
    ...shared,
    settings: {
      mounts,
      bodyLimitBytes: config.server.body_limit_bytes,
      trustProxy: trustProxy === false ? false : [...trustProxy],
      anonymizeIp: config.provenance.anonymize_ip,
      idempotencyHeaders: [...new Set(['idempotency-key', config.idempotency.header.toLowerCase()])],
    },
    health: { live: () => true, ready },
    metrics: { token: config.metrics.token, expose: metrics.expose ?? null },
  })
  mountMcp(app, {
    // What a client says about what it took is shed last.
    count: (principal, isNote) => parts.rateLimits.admit(principal, isNote ? 'shed_last' : undefined, { input: {} }),
    ...shared,
    parseBody: parseJsonObject,
    signal: parts.signal,
    parseLargeBody: parseLargeJsonObject,
    mustBeRead: mustBeReadWhenWritten,
    mounts,
    names: [config.server.public_url, config.server.host],
    anonymizeIp: config.provenance.anonymize_ip,
  })
  return app
}
