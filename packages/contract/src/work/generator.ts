import { defineEvents } from '../kernel/events.ts'
import { defineNoun } from '../kernel/noun.ts'

/** Code that proposes orders on a schedule. */
export const generator = defineNoun({
  noun: 'generator',
  events: defineEvents('generator', { failed: { says: 'A generator of orders threw.', priority: 2 } }),
})
