/**
 * Metrics: kind, meaning, labels. Drivers, docs, dashboards and alerts take the names from the catalogue. Labels are bounded sets
 * (type, outcome, reason, tier, publisher …), never an id of an agent, a tenant or a user.
 */
export interface MetricDefinition {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly buckets?: readonly number[]
}

export const defineMetrics = <const Catalogue extends Readonly<Record<string, MetricDefinition>>>(catalogue: Catalogue): Catalogue =>
  catalogue

/** Put before every name. */
export const metricsNamespace = 'work_manager'

/** The requests themselves, the database, the process. */
export const kernelMetrics = defineMetrics({
  request_duration_seconds: {
    kind: 'histogram',
    help: 'How long an operation took, at whatever door.',
    labels: ['operation', 'outcome'],
    buckets: [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 30],
  },
  refusals_total: { kind: 'counter', help: 'Operations that were refused or failed, by error code.', labels: ['code'] },
  rate_limited_total: { kind: 'counter', help: 'Requests refused by a rate limit.', labels: ['scope', 'tier'] },
  database_up: { kind: 'gauge', help: '1 while PostgreSQL answers.', labels: [] },
  database_connections: { kind: 'gauge', help: 'Connections of this process, and requests that wait for one.', labels: ['pool', 'state'] },
  event_loop_lag_seconds: { kind: 'gauge', help: 'How late timers ran (99th percentile since the last look).', labels: [] },
  redis_up: { kind: 'gauge', help: '1 while the configured Redis answers.', labels: [] },
  cache_requests_total: { kind: 'counter', help: 'Reads of the cache.', labels: ['kind', 'outcome'] },
})
