/** What operations need to know of the configuration, in their words. */
import type { Config } from '../config/index.ts'
import type { LeaseLimits } from '../work/leases/decide-limits.ts'
import type { Tools } from '../systems.ts'
import type { OrderTypeRegistry } from '../work/order-types/registry.ts'

export const settingsOf = (config: Config, types: OrderTypeRegistry): Tools['settings'] => ({
  leaseLimits: leaseLimitsOf(config, types),
  leaseTtlSeconds: config.lease.ttl_seconds,
  maxLeaseSeconds: config.lease.max_age_seconds,
  cooldownSeconds: config.lease.cooldown_seconds,
  releaseGraceSeconds: config.lease.release_grace_seconds,
  maxRetryAfterSeconds: config.retry.max_retry_after_seconds,
  maxOpenOrders: config.propose.max_open_per_principal,
  heartbeatEverySeconds: config.lease.heartbeat_every_seconds,
  defaultMaxAttempts: config.retry.default_max_attempts,
  backoff: {
    baseSeconds: config.retry.backoff_seconds,
    maxSeconds: config.retry.max_backoff_seconds,
    jitterSeconds: config.retry.jitter_seconds,
  },
  maxPartsPerItem: config.partials.max_parts_per_item,
  maxPartBytes: config.partials.max_payload_bytes,
  maxItemBytes: config.partials.max_item_bytes,
  defaultPageSize: config.query.default_page_size,
  maxPageSize: config.query.max_page_size,
  requireLeaseToken: config.lease.require_token,
  requireDigest: config.approval.require_digest,
  approveWaitMs: config.approval.wait_ms,
  idempotencyTtlSeconds: config.idempotency.ttl_hours * 3600,
  maxWaitSeconds: config.checkout.max_wait_seconds,
  ageingSeconds: config.checkout.ageing_seconds,
  guardSecret: config.guard.secret ?? null,
  deadLetterAfterHours: config.maintenance.dead_letter_after_hours,
  staleThresholdHours: config.maintenance.stale_order_threshold_hours,
  publishers: config.publishers.use,
  baseUrl: `${config.server.public_url ?? ''}${config.server.base_paths[0]}`,
})

/** The limits that are set, for the grant to count by; null when none is, so that nothing is counted. */
function leaseLimitsOf(config: Config, types: OrderTypeRegistry): LeaseLimits | null {
  const { max_per_agent: agent, max_per_type: type, max_per_tenant: tenant } = config.lease
  // Without one of its own, a principal that names agents may hold for ten of them: names alone are no way past the limit.
  const principal = config.lease.max_per_principal ?? (agent === undefined ? undefined : 10 * agent)
  const own = Object.fromEntries(types.list().flatMap((one) => (one.maxLeases === null ? [] : [[one.type, one.maxLeases]])))
  const limits = {
    ...(agent === undefined ? {} : { agent }),
    ...(principal === undefined ? {} : { principal }),
    ...(type === undefined ? {} : { type }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(Object.keys(own).length === 0 ? {} : { types: own }),
  }
  return Object.keys(limits).length === 0 ? null : limits
}
