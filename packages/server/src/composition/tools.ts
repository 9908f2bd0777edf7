/** Everything that operations may use, wired. */
import type { Logger } from 'pino'
import { type Authenticator, createAuthenticator } from '../access/authenticate.ts'
import { anonymizedIp } from '../addresses/ip-address.ts'
import { openCache } from '../cache/index.ts'
import type { Config } from '../config/index.ts'
import { createApplies } from '../work/applying/applies.ts'
import { createHotPath } from '../work/hot-path/hot-path.ts'
import { createItemBriefs } from '../work/items/item-briefs.ts'
import { createAllowances } from '../work/orders/allowances.ts'
import { createProposals } from '../work/orders/proposals.store.ts'
import type { LeaseHints } from '../work/lease-hints/lease-hints.ts'
import { createRedisLeaseHints } from '../work/lease-hints/redis-lease-hints.ts'
import type { MetricsDriver } from '../metrics/metrics.ts'
import type { Tools } from '../systems.ts'
import type { OrderTypeRegistry } from '../work/order-types/registry.ts'
import { createRateLimiter } from '../rate-limits/drivers/index.ts'
import { createRateLimits } from '../rate-limits/rate-limits.ts'
import { rateLimitSettings } from '../rate-limits/settings.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { tellReady } from '../work/lease-hints/tell-ready.ts'
import type { WorkSignal } from '../kernel/signals/work-signal.ts'
import { createSequencer } from '../ledger/sequencer.ts'
import { topics } from '../ledger/topics.ts'
import { readCluster, readSecret } from '../kernel/store/cluster.ts'
import type { Database } from '../kernel/store/database.ts'
import type { Tracing } from '../tracing/tracing.ts'
import { createKeyEnds, createKeyLookUp } from './find-key.ts'
import { endAllLeases } from '../work/leases/end-leases.ts'
import { settingsOf } from './settings.ts'

export interface Parts {
  readonly types: OrderTypeRegistry
  readonly log: Logger
  readonly database: Database
  readonly redis: RedisConnection | null
  readonly metrics: MetricsDriver
  readonly tracing: Tracing
  readonly signal: WorkSignal
  readonly isDraining: () => boolean
}

/** `hints` are stopped by the caller, before Redis is closed. */
export async function createTools(
  config: Config,
  parts: Parts,
): Promise<{ tools: Tools; hints: LeaseHints | null; authenticator: Authenticator }> {
  const { types, log, database, redis, metrics, tracing, signal, isDraining } = parts
  const settings = settingsOf(config, types)
  const { epoch, id: clusterId } = await readCluster(database.system)
  const hints =
    config.lease.backend === 'redis' && redis
      ? createRedisLeaseHints({ redis, db: database.app, log, metrics, secret: `${clusterId} ${epoch}` })
      : null
  if (hints) database.onLeasesChanged((tenantId, itemIds) => hints.changed(tenantId, itemIds))
  const sequencer = createSequencer(database.system, metrics, { log, onNumbered: () => signal.wake(topics.numbered) })
  const rateLimits = createRateLimits({
    settings: rateLimitSettings(config),
    limiter: createRateLimiter(redis, log),
    orderTypes: types,
    metrics,
    log,
    shownAddress: config.provenance.anonymize_ip ? (address) => anonymizedIp(address.replace('/64', '')) ?? 'hidden' : undefined,
  })
  const authenticator = createAuthenticator({
    lookUp: createKeyLookUp(database.system),
    strangers: rateLimits.strangers,
    count: (outcome) => metrics.increment('cache_requests_total', { kind: 'keys', outcome }),
  })
  const workSignal = hints ? tellReady(signal, (tenantId) => hints.readied(tenantId)) : signal
  const tools: Tools = {
    db: database.app,
    system: database.system,
    record: sequencer,
    types,
    signal: workSignal,
    keyEnd: createKeyEnds(database.app),
    async keyEnded(tenantId, principal, by) {
      await endAllLeases({ db: database.app, signal: workSignal }, tenantId, { principal }, by, 'The key of its holder was revoked.')
    },
    settings,
    log,
    metrics,
    tracing,
    rateLimits,
    cursorSecret: await readSecret(database.system),
    cache: openCache({
      driver: config.cache.driver,
      maxBytes: config.cache.max_megabytes * 1024 * 1024,
      redis,
      // After a restore the epoch is another one, and nothing that was kept before counts.
      secret: `${clusterId} ${epoch}`,
      metrics,
    }),
    forgetKeys: () => authenticator.forgetAll(),
    epoch,
    briefs: createItemBriefs(),
    allowances: createAllowances(),
    proposals: createProposals(database.app),
    // An apply holds a connection for as long as the type's code takes: most of them stay free for requests.
    applies: createApplies(Math.max(1, Math.min(6, Math.floor(config.database.max_connections / 4)))),
    isDraining,
    hotPath: createHotPath({
      connection: database.hot,
      windows: database.windows,
      tracing,
      epoch,
      heartbeatEverySeconds: settings.heartbeatEverySeconds,
      idempotencyTtlSeconds: settings.idempotencyTtlSeconds,
      leaseLimits: settings.leaseLimits,
      hints,
    }),
  }
  return { tools, hints, authenticator }
}
