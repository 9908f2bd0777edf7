/**
 * What is limited, and by how much: the calls of a principal by the tier of its tenant, optionally all calls of a tenant and the
 * proposals and checkouts of an order type, and strangers (no key, or a wrong one) by address. What keeps or hands in work that is
 * already held is shed last: it has a reserve of its own, so that no limit makes an agent lose what it holds.
 */
import type { Tier } from '@work-manager/contract'
import type { Logger } from 'pino'
import type { Metrics } from '../metrics/metrics.ts'
import { addressGroup } from '../addresses/ip-address.ts'
import { type Admission, type Counted, noLimits, RateLimitedError } from './admission.ts'
import { createMemoryLimiter } from './drivers/memory.ts'
import { type Limit, limitOf, type Taken } from './limit.ts'
import type { RateLimiter } from './rate-limiter.ts'
import type { RateLimitSettings } from './settings.ts'
import { Violations } from './violations.ts'

export interface LimitedCaller {
  readonly tenantId: string
  readonly tenantSlug: string
  readonly kind: string
  readonly name: string
  readonly tier: Tier
}

/** How an operation counts: `by_type` against its order type too, `shed_last` from a reserve when the rest is used up. */
export type RateRule = 'by_type' | 'shed_last'

export interface LimitedCall {
  readonly input: Readonly<Record<string, unknown>>
}

export interface RateLimits {
  /** Counts one call; its input is looked at only where an order type is limited. Refuses with: rate_limited. */
  admit(caller: LimitedCaller, rule: RateRule | undefined, call: LimitedCall): Admission | Promise<Admission>
  /** Counts the item that a checkout gave whose type nobody could know before. */
  countLeased(caller: LimitedCaller, orderType: string): void
  /** Requests without a valid key, by address. Refuses with: rate_limited. */
  readonly strangers: { countFailure(address: string | undefined): void }
  /** True when order types are limited at all. */
  readonly countsTypes: boolean
  /** What a tenant's principals may send per minute; null when nothing is limited. */
  perMinute(tier: Tier): number | null
  stop(): void
}

/** What the registry of order types says about limits. */
export interface OrderTypeLimits {
  get(type: string): { readonly rateLimit: { readonly perMinute: number } | null } | undefined
  list(): readonly { readonly rateLimit: { readonly perMinute: number } | null }[]
}

/** Less than this would not even keep the leases of a busy agent alive. */
const leastReservePerMinute = 600

export function createRateLimits(options: {
  readonly settings: RateLimitSettings
  readonly limiter: RateLimiter
  readonly orderTypes: OrderTypeLimits
  readonly metrics: Metrics
  readonly log: Logger
  readonly shownAddress?: ((address: string) => string) | undefined
}): RateLimits {
  const { settings, limiter, orderTypes } = options
  const { burstSeconds } = settings
  const limits = (perMinute: number): Limit => limitOf(perMinute, burstSeconds)
  const byTier = mapTiers(settings.perMinute, limits)
  const reserves = mapTiers(settings.perMinute, (perMinute) => limits(Math.max(perMinute, leastReservePerMinute)))
  const ofTenant = settings.tenantPerMinute === null ? null : limits(settings.tenantPerMinute)
  const ofTypes = new Map<number, Limit>()
  const countsTypes = settings.enabled && (settings.typePerMinute !== null || orderTypes.list().some((type) => type.rateLimit !== null))
  const ofStrangers = limits(settings.anonymousPerMinute)
  // Always in this process: strangers must not be able to fill Redis, nor to push the buckets of principals out.
  const strangers = createMemoryLimiter()
  const violations = new Violations(options)

  function typeLimit(orderType: unknown): Limit | null {
    if (!countsTypes || typeof orderType !== 'string') return null
    const type = orderTypes.get(orderType)
    const perMinute = type && (type.rateLimit?.perMinute ?? settings.typePerMinute)
    // Only names that are registered get a bucket: others would be made up to fill the memory.
    if (perMinute === null || perMinute === undefined) return null
    let limit = ofTypes.get(perMinute)
    if (limit === undefined) ofTypes.set(perMinute, (limit = limits(perMinute)))
    return limit
  }

  function refusal(caller: LimitedCaller, who: string, over: Counted, counted: Admission): RateLimitedError {
    const { tenantSlug, tier, name } = caller
    violations.note(over.scope, tier, `${tenantSlug} ${name}`)
    return new RateLimitedError(who, over, [...counted, over], tier)
  }

  const usedUp = (caller: LimitedCaller, limit: Limit, tokens: number): RateLimitedError =>
    refusal(caller, `${caller.name} (tier ${caller.tier})`, { scope: 'principal', limit, tokens }, noLimits)

  function strangerRefusal(group: string, tokens: number): RateLimitedError {
    violations.note('address', 'anonymous', options.shownAddress?.(group) ?? group)
    const over: Counted = { scope: 'address', limit: ofStrangers, tokens }
    return new RateLimitedError('Without a valid key, one address', over, [over], 'anonymous')
  }

  const principalKey = (caller: LimitedCaller): string => `principal ${caller.tenantId} ${caller.name}`
  const typeKey = (caller: LimitedCaller, type: string): string => `type ${caller.tenantId} ${type}`

  /** Everything but one bucket of this process that had a token. */
  async function judge(caller: LimitedCaller, rule: RateRule | undefined, call: LimitedCall, first: Taken): Promise<Admission> {
    const limit = byTier[caller.tier]
    const counted: Counted[] = []
    if (!first.taken) {
      if (rule !== 'shed_last') throw usedUp(caller, limit, first.tokens)
      const reserve = reserves[caller.tier]
      const { taken, tokens } = await limiter.take(`reserve ${caller.tenantId} ${caller.name}`, reserve)
      if (!taken) throw usedUp(caller, reserve, tokens)
    }
    counted.push({ scope: 'principal', limit, tokens: first.tokens })
    if (ofTenant) {
      const { taken, tokens } = await limiter.take(`tenant ${caller.tenantId}`, ofTenant)
      if (!taken && rule !== 'shed_last') {
        limiter.giveBack(principalKey(caller), limit)
        throw refusal(caller, `The tenant ${caller.tenantSlug}`, { scope: 'tenant', limit: ofTenant, tokens }, counted)
      }
      counted.push({ scope: 'tenant', limit: ofTenant, tokens })
    }
    const orderType = rule === 'by_type' && countsTypes ? typeNamedIn(call) : undefined
    const ofType = typeLimit(orderType)
    if (ofType) {
      const { taken, tokens } = await limiter.take(typeKey(caller, orderType as string), ofType)
      if (!taken) {
        limiter.giveBack(principalKey(caller), limit)
        if (ofTenant) limiter.giveBack(`tenant ${caller.tenantId}`, ofTenant)
        throw refusal(caller, `For ${orderType as string}, a tenant`, { scope: 'type', limit: ofType, tokens }, counted)
      }
      counted.push({ scope: 'type', limit: ofType, tokens })
    }
    return counted
  }

  return {
    countsTypes,
    perMinute: (tier) => (settings.enabled ? settings.perMinute[tier] : null),
    admit(caller, rule, call) {
      if (!settings.enabled || caller.kind === 'system') return noLimits
      const limit = byTier[caller.tier]
      const taken = limiter.take(principalKey(caller), limit)
      if (taken instanceof Promise) return taken.then((first) => judge(caller, rule, call, first))
      // The bulk of a flood: refused before anything else is made for it.
      if (!taken.taken && rule !== 'shed_last') throw usedUp(caller, limit, taken.tokens)
      if (!taken.taken || ofTenant || (rule === 'by_type' && countsTypes)) return judge(caller, rule, call, taken)
      return [{ scope: 'principal', limit, tokens: taken.tokens }]
    },
    countLeased(caller, orderType) {
      const limit = caller.kind === 'system' ? null : typeLimit(orderType)
      if (limit) void limiter.take(typeKey(caller, orderType), limit)
    },
    strangers: {
      countFailure(address) {
        const group = addressGroup(address)
        const { taken, tokens } = settings.enabled ? strangers.take(group, ofStrangers) : { taken: true, tokens: 1 }
        if (!taken) throw strangerRefusal(group, tokens)
      },
    },
    stop() {
      violations.stop()
      strangers.stop()
      limiter.stop()
    },
  }
}

/** A body that cannot be read is refused by whoever reads it next; it has been counted by then. */
function typeNamedIn(call: LimitedCall): unknown {
  try {
    return call.input['type']
  } catch {
    return undefined
  }
}

function mapTiers(perMinute: Readonly<Record<Tier, number>>, make: (perMinute: number) => Limit): Readonly<Record<Tier, Limit>> {
  return {
    enterprise: make(perMinute.enterprise),
    professional: make(perMinute.professional),
    default: make(perMinute.default),
    free: make(perMinute.free),
  }
}
