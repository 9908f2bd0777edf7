import { defineMetrics } from '../kernel/metrics.ts'

export const ledgerMetrics = defineMetrics({
  facts_total: { kind: 'counter', help: 'Facts that got their place in the ledger, by kind.', labels: ['kind'] },
  facts_unsequenced: { kind: 'gauge', help: 'Committed facts that have no place in the ledger yet.', labels: [] },
  ledger_lag_seconds: { kind: 'gauge', help: 'Age of the oldest committed fact without a place in the ledger.', labels: [] },
  publisher_lag_facts: { kind: 'gauge', help: 'Facts that a publisher has not published yet.', labels: ['publisher'] },
  publisher_published_total: { kind: 'counter', help: 'Facts published.', labels: ['publisher'] },
  publisher_failures_total: { kind: 'counter', help: 'Publishing attempts that failed.', labels: ['publisher'] },
  publisher_parked_total: { kind: 'counter', help: 'Facts set aside because a receiver refuses them.', labels: ['publisher'] },
})
