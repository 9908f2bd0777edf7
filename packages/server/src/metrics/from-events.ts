/**
 * Counters of what happened, taken from the record: the sequencer sees every committed event exactly once in the whole cluster, so no
 * path through the code can forget to count, none counts what was rolled back, and the requests themselves pay nothing.
 */
import { type CounterName, type EventKind, failureReasons, type LabelsOf } from '@work-manager/contract'
import type { Metrics } from './metrics.ts'

/** Events of one kind, label (of an order: its type) and reason, as numbering counts them. */
export interface EventTally {
  readonly kind: string
  readonly label: string | null
  readonly reason: string | null
  readonly n: number
  /** From proposal to each approval. */
  readonly seconds: readonly number[] | null
}

type ByType = { [N in CounterName]: LabelsOf<N> extends Readonly<Record<'type', string>> ? N : never }[CounterName]

/** Kind of event → the counter with the labels `type`, or `type` and `reason`. */
const counters: Partial<Record<EventKind, ByType>> = {
  'order.proposed': 'orders_created_total',
  'order.approved': 'orders_approved_total',
  'order.rejected': 'orders_rejected_total',
  'order.apply_failed': 'orders_apply_failed_total',
  'order.completed': 'orders_completed_total',
  'order.dead_lettered': 'orders_dead_lettered_total',
  'item.leased': 'leases_acquired_total',
  'item.released': 'leases_released_total',
  'item.lease_expired': 'leases_expired_total',
  'item.lease_revoked': 'leases_revoked_total',
  'item.submitted': 'items_submitted_total',
  'item.failed': 'items_failed_total',
}

/** A reason that is not in the set would be a series more for each text. */
function knownReason(counter: ByType | undefined, reason: string): string {
  const known: readonly string[] =
    counter !== undefined && counter in failureReasons ? failureReasons[counter as keyof typeof failureReasons] : []
  return known.includes(reason) ? reason : 'other'
}

export function countEvents(metrics: Metrics, tallies: readonly EventTally[]): void {
  for (const { kind, label, reason, n, seconds } of tallies) {
    metrics.increment('facts_total', { kind }, n)
    const counter = (counters as Readonly<Record<string, ByType>>)[kind]
    const labels = { type: label ?? 'unknown', ...(reason === null ? {} : { reason: knownReason(counter, reason) }) }
    if (counter) metrics.increment(counter, labels as LabelsOf<ByType>, n)
    for (const each of seconds ?? []) metrics.observe('order_time_to_approval_seconds', { type: label ?? 'unknown' }, each)
  }
}
