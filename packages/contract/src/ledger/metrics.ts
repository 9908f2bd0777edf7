import { defineMetrics } from '../kernel/metrics.ts'

export const ledgerMetrics = defineMetrics({
  facts_total: { kind: 'counter', help: 'Events that got their number on the record, by kind.', labels: ['kind'] },
  numbering_failures_total: {
    kind: 'counter',
    help: 'Tries to number the events of a tenant that failed; its record stands still meanwhile.',
    labels: [],
  },
  facts_unsequenced: { kind: 'gauge', help: 'Committed events that have no number yet.', labels: [] },
  ledger_lag_seconds: { kind: 'gauge', help: 'Age of the oldest committed event without a number.', labels: [] },
  record_damaged: {
    kind: 'gauge',
    help: 'Tenants whose record, or what it speaks of, did not verify when the server last looked.',
    labels: [],
  },
  publisher_lag_facts: { kind: 'gauge', help: 'Events that a publisher has not published yet.', labels: ['publisher'] },
  publisher_published_total: { kind: 'counter', help: 'Events published.', labels: ['publisher'] },
  publisher_failures_total: { kind: 'counter', help: 'Publishing attempts that failed.', labels: ['publisher'] },
  publisher_parked_total: { kind: 'counter', help: 'Events set aside because a receiver refuses them.', labels: ['publisher'] },
})
