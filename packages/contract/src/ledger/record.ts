import { defineEvents } from '../kernel/events.ts'
import { defineNoun } from '../kernel/noun.ts'

/** The record as a whole, as the server checks it by itself. */
export const record = defineNoun({
  noun: 'record',
  events: defineEvents('record', {
    damaged: { says: 'The server found that its record, or what the record speaks of, is not what was written.', priority: 0 },
  }),
})
