import { defineEvents } from '../kernel/events.ts'
import { defineNoun } from '../kernel/noun.ts'

/** Kept answers, by the key of their request. */
export const idempotency = defineNoun({
  noun: 'idempotency',
  events: defineEvents('idempotency', { purged: { says: 'A person deleted old idempotency keys.', priority: 2 } }),
  abilities: {
    'admin:maintenance': {
      group: 'Administration',
      says: 'Run generators and housekeeping, delete old idempotency keys (people only).',
    },
  },
})
