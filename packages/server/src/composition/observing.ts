/** What the configuration uses besides the database: Redis, metrics, traces. */
import type { Logger } from 'pino'
import type { Config } from '../config/index.ts'
import { openMetrics } from '../metrics/index.ts'
import type { MetricsDriver } from '../metrics/metrics.ts'
import type { OrderTypeRegistry } from '../work/order-types/registry.ts'
import { openRedis, type RedisConnection, type RedisRole } from '../redis/connection.ts'
import type { Database } from '../kernel/store/database.ts'
import { readWorkCounts } from '../work/status/work-counts.store.ts'
import { openTracing } from '../tracing/index.ts'
import type { Tracing } from '../tracing/tracing.ts'
import { version } from './version.ts'

/** What the configuration uses Redis for; without a url, or without a use, none is opened. */
export async function provideRedis(config: Config, log: Logger): Promise<RedisConnection | null> {
  const { url, prefix } = config.redis
  if (url === undefined) return null
  const leases: RedisRole[] = config.lease.backend === 'redis' ? ['leases'] : []
  const limits: RedisRole[] = config.rate_limits.enabled ? ['rate limits'] : []
  const roles: RedisRole[] = [...leases, ...limits, ...(config.cache.driver === 'redis' ? (['cache'] as const) : [])]
  return roles.length === 0 ? null : openRedis({ url, prefix, roles, log })
}

export async function provideTracing(config: Config, log: Logger): Promise<Tracing> {
  const { exporter, endpoint, sample_ratio: sampleRatio, service_name: serviceName } = config.tracing
  return openTracing({ exporter, endpoint, sampleRatio, serviceName, serviceVersion: version }, log)
}

export async function provideMetrics(
  config: Config,
  parts: { log: Logger; types: OrderTypeRegistry; database: Database; redis: RedisConnection | null },
): Promise<MetricsDriver> {
  const { driver, interval_seconds: seconds, statsd_host: host, statsd_port: port, otlp_endpoint: endpoint } = config.metrics
  const { log, types, database, redis } = parts
  return openMetrics({
    driver,
    log,
    version,
    intervalMs: seconds * 1000,
    statsd: { host, port },
    otlpEndpoint: endpoint ?? config.tracing.endpoint,
    serviceName: config.tracing.service_name,
    types: types.list().map(({ type }) => type),
    sources: { counts: () => readWorkCounts(database.system), pools: () => database.use(), redisUp: () => redis?.isUp() ?? null },
  })
}
