/** From the section `rate_limits` of the configuration to what this room works with. */
import type { Tier } from '@work-manager/contract'

export interface RateLimitSettings {
  readonly enabled: boolean
  readonly perMinute: Readonly<Record<Tier, number>>
  readonly anonymousPerMinute: number
  /** All calls of a tenant together; null: no limit. */
  readonly tenantPerMinute: number | null
  /** Proposals and checkouts of one order type in one tenant, where the type says nothing itself; null: no limit. */
  readonly typePerMinute: number | null
  readonly burstSeconds: number
}

interface Section {
  readonly enabled: boolean
  readonly enterprise_per_minute: number
  readonly professional_per_minute: number
  readonly default_per_minute: number
  readonly free_per_minute: number
  readonly anonymous_per_minute: number
  readonly tenant_per_minute?: number | undefined
  readonly type_per_minute?: number | undefined
  readonly burst_seconds: number
}

export const rateLimitSettings = ({ rate_limits }: { readonly rate_limits: Section }): RateLimitSettings => ({
  enabled: rate_limits.enabled,
  perMinute: {
    enterprise: rate_limits.enterprise_per_minute,
    professional: rate_limits.professional_per_minute,
    default: rate_limits.default_per_minute,
    free: rate_limits.free_per_minute,
  },
  anonymousPerMinute: rate_limits.anonymous_per_minute,
  tenantPerMinute: rate_limits.tenant_per_minute ?? null,
  typePerMinute: rate_limits.type_per_minute ?? null,
  burstSeconds: rate_limits.burst_seconds,
})
