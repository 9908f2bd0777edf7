/**
 * Every metric, once: kind, meaning, labels. Drivers, docs, dashboards and alerts take the names from here. Labels are bounded sets
 * (order type, outcome, reason, tier, publisher …), never an agent, order, tenant or user.
 */
export interface MetricDefinition {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly buckets?: readonly number[]
}

/** Put before every name. */
export const metricsNamespace = 'work_manager'

export const metricCatalogue = {
  // The names of the first nine, the two gauges and the two histograms are those of the predecessor.
  orders_created_total: { kind: 'counter', help: 'Orders proposed.', labels: ['type'] },
  leases_acquired_total: { kind: 'counter', help: 'Items leased.', labels: ['type'] },
  leases_released_total: { kind: 'counter', help: 'Leases given back by their holder.', labels: ['type'] },
  leases_expired_total: { kind: 'counter', help: 'Leases that ran out and were taken back.', labels: ['type'] },
  items_submitted_total: { kind: 'counter', help: 'Results handed in.', labels: ['type'] },
  orders_approved_total: { kind: 'counter', help: 'Orders approved, by people or by rule.', labels: ['type'] },
  orders_rejected_total: { kind: 'counter', help: 'Orders rejected or sent back.', labels: ['type'] },
  orders_apply_failed_total: { kind: 'counter', help: 'Applies that failed.', labels: ['type', 'reason'] },
  items_failed_total: { kind: 'counter', help: 'Items that failed.', labels: ['type', 'reason'] },
  leases_revoked_total: { kind: 'counter', help: 'Leases that a person or a pause ended.', labels: ['type'] },
  orders_completed_total: { kind: 'counter', help: 'Orders applied and done.', labels: ['type'] },
  orders_dead_lettered_total: { kind: 'counter', help: 'Orders set aside with a case file.', labels: ['type'] },
  facts_total: { kind: 'counter', help: 'Facts that got their place in the ledger, by kind.', labels: ['kind'] },
  leases_active: { kind: 'gauge', help: 'Leases in force.', labels: ['type'] },
  queue_depth: { kind: 'gauge', help: 'Items that wait to be taken.', labels: ['type'] },
  order_apply_duration_seconds: {
    kind: 'histogram',
    help: 'How long an apply ran.',
    labels: ['type'],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  order_time_to_approval_seconds: {
    kind: 'histogram',
    help: 'From proposal to approval.',
    labels: ['type'],
    buckets: [1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 72 * 3600],
  },
  request_duration_seconds: {
    kind: 'histogram',
    help: 'How long an operation took, at whatever door.',
    labels: ['operation', 'outcome'],
    buckets: [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 30],
  },
  refusals_total: { kind: 'counter', help: 'Operations that were refused or failed, by error code.', labels: ['code'] },
  facts_unsequenced: { kind: 'gauge', help: 'Committed facts that have no place in the ledger yet.', labels: [] },
  rate_limited_total: { kind: 'counter', help: 'Requests refused by a rate limit.', labels: ['scope', 'tier'] },
  paused: { kind: 'gauge', help: 'Pauses in force.', labels: ['scope'] },
  ledger_lag_seconds: { kind: 'gauge', help: 'Age of the oldest committed fact without a place in the ledger.', labels: [] },
  database_up: { kind: 'gauge', help: '1 while PostgreSQL answers.', labels: [] },
  database_connections: { kind: 'gauge', help: 'Connections of this process, and requests that wait for one.', labels: ['pool', 'state'] },
  event_loop_lag_seconds: { kind: 'gauge', help: 'How late timers ran (99th percentile since the last look).', labels: [] },
  redis_up: { kind: 'gauge', help: '1 while the configured Redis answers.', labels: [] },
  lease_hints_total: {
    kind: 'counter',
    help: 'Checkouts by whether Redis knew where ready items are: granted, wrong, none, down.',
    labels: ['outcome'],
  },
  heartbeats_absorbed_total: {
    kind: 'counter',
    help: 'Heartbeats with the Redis backend: absorbed, or asked of the database because: first, near, unknown, down.',
    labels: ['outcome'],
  },
  cache_requests_total: { kind: 'counter', help: 'Reads of the cache.', labels: ['kind', 'outcome'] },
  publisher_lag_facts: { kind: 'gauge', help: 'Facts that a publisher has not published yet.', labels: ['publisher'] },
  publisher_published_total: { kind: 'counter', help: 'Facts published.', labels: ['publisher'] },
  publisher_failures_total: { kind: 'counter', help: 'Publishing attempts that failed.', labels: ['publisher'] },
  publisher_parked_total: { kind: 'counter', help: 'Facts set aside because a receiver refuses them.', labels: ['publisher'] },
} as const satisfies Record<string, MetricDefinition>

/** Why items and applies fail: the closed set behind the label `reason`. */
export const failureReasons = {
  items_failed_total: ['transient', 'agent', 'permanent', 'policy', 'max_attempts_exceeded', 'order_failed'],
  orders_apply_failed_total: ['apply_failed', 'content_changed', 'order_type_not_found', 'type_version_changed'],
} as const

/** What may stand in a label: closed sets, so that the number of series is known. */
export const labelMeanings = {
  type: 'order type, as registered',
  reason: 'why, see failureReasons',
  kind: 'kind of fact, or of what is cached',
  operation: 'name of the operation',
  outcome: 'how it ended, see the metric',
  code: 'error code',
  scope: 'what was limited or paused',
  tier: 'tier of the tenant',
  pool: 'app, system or hot',
  state: 'used, idle or waiting',
  publisher: 'publisher, as configured',
} as const

export type MetricName = keyof typeof metricCatalogue
type NameOf<Kind> = { [N in MetricName]: (typeof metricCatalogue)[N]['kind'] extends Kind ? N : never }[MetricName]
export type CounterName = NameOf<'counter'>
export type GaugeName = NameOf<'gauge'>
export type HistogramName = NameOf<'histogram'>
/** A value for each label of the metric, no more and no fewer. */
export type LabelsOf<N extends MetricName> = Readonly<Record<(typeof metricCatalogue)[N]['labels'][number], string>>
