import { defineEvents } from '../kernel/events.ts'
import { defineNoun } from '../kernel/noun.ts'

/** What a tenant is entitled to: how many requests each of its principals may send. The numbers are settings (`rate_limits`). */
export const tiers = ['enterprise', 'professional', 'default', 'free'] as const

export type Tier = (typeof tiers)[number]

export const tenant = defineNoun({
  noun: 'tenant',
  events: defineEvents('tenant', {
    tier_set: { says: 'Whoever runs the server changed what the tenant is entitled to.', priority: 0 },
  }),
})
