import { defineEvents } from '../kernel/events.ts'
import { defineNoun } from '../kernel/noun.ts'

/** A person's stop for an agent, a type or the tenant. */
export const pause = defineNoun({
  noun: 'pause',
  events: defineEvents('pause', {
    set: { says: 'A person paused an agent, a type, the tenant or everything.', priority: 0 },
    lifted: { says: 'A person lifted a pause.', priority: 0 },
  }),
  abilities: {
    'admin:pause': { group: 'Administration', says: 'Pause and resume agents, types and the tenant, and list pauses (people only).' },
  },
})
