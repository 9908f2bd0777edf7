import { defineEvents } from '../kernel/events.ts'
import { defineNoun } from '../kernel/noun.ts'

/** A change outside the database, asked for by an apply and carried out after it. */
export const effect = defineNoun({
  noun: 'effect',
  events: defineEvents(
    'effect',
    {
      delivered: { says: 'An outside effect was carried out; the receipt is kept.', priority: 1 },
      failed: { says: 'An outside effect failed and will be tried again.', priority: 1 },
      unknown: { says: 'The outcome of an outside effect is not known; a person must look.', priority: 0 },
    },
    { root: 'order' },
  ),
})
