import { defineMetrics } from '../kernel/metrics.ts'

export const workMetrics = defineMetrics({
  // The names of the first nine, of the gauges leases_active and queue_depth and of the histograms are those of the predecessor.
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
  paused: { kind: 'gauge', help: 'Pauses in force.', labels: ['scope'] },
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
})

/** Why items and applies fail: the closed set behind the label `reason`. */
export const failureReasons = {
  items_failed_total: ['transient', 'agent', 'permanent', 'policy', 'max_attempts_exceeded', 'order_failed'],
  orders_apply_failed_total: ['apply_failed', 'content_changed', 'order_type_not_found', 'type_version_changed'],
} as const
