import { defineEvents } from '../kernel/events.ts'
import { defineNoun } from '../kernel/noun.ts'

export const key = defineNoun({
  noun: 'key',
  events: defineEvents('key', {
    created: { says: 'An API key was made.', priority: 0 },
    rotated: { says: 'An API key was replaced.', priority: 0 },
    revoked: { says: 'An API key was revoked.', priority: 0 },
  }),
  abilities: {
    'admin:keys': { group: 'Administration', says: 'Create, list, rotate and revoke keys.' },
  },
})
