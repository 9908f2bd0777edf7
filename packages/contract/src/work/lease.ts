import { defineNoun } from '../kernel/noun.ts'

/** The right to work on an item until a given time. Its events are those of the item. */
export const lease = defineNoun({
  noun: 'lease',
  abilities: {
    'admin:leases': { group: 'Administration', says: 'End, extend and reclaim leases of others (people only).' },
  },
})
