import { defineEvents } from '../kernel/events.ts'
import { defineNoun } from '../kernel/noun.ts'

export const key = defineNoun({
  noun: 'key',
  events: defineEvents('key', {
    created: { says: 'An API key was made.', priority: 0 },
    rotated: { says: 'An API key was replaced.', priority: 0 },
    revoked: { says: 'An API key was revoked.', priority: 0 },
    invited: { says: 'A person was invited to take a key of their own.', priority: 0 },
    claimed: { says: 'A person took the key that an invitation stood for; the invitation ended with it.', priority: 0 },
  }),
  abilities: {
    'admin:keys': { group: 'Administration', says: 'Create, list, rotate and revoke keys.' },
    'admin:claim': {
      group: 'Administration',
      says: 'Redeem the invitation that is the key itself; an invitation holds this and nothing else.',
    },
  },
})
