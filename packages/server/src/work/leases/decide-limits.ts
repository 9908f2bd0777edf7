/** Limits on leases in words: what is refused, and what to do now. Pure; the count itself is made in SQL (`wm.lease_items`). */
import { WorkError } from '@work-manager/contract'

/** How many leases may be in force at a time, within one tenant; what is absent has no limit. */
export interface LeaseLimits {
  readonly agent?: number
  readonly principal?: number
  readonly type?: number
  readonly tenant?: number
  /** By order type; goes before `type`. */
  readonly types?: Readonly<Record<string, number>>
}

export interface LeaseLimitReached {
  readonly limit: 'agent' | 'principal' | 'type' | 'tenant'
  readonly max: number
  /** The order type whose limit it is. */
  readonly type?: string
}

export function limitRefusal(reached: LeaseLimitReached, agentId: string): WorkError {
  const words = {
    agent: [
      `Agent '${agentId}' holds ${reached.max} leases, as many as this server lets one agent hold.`,
      'Hand in, release or fail an item you hold, then check out again.',
    ],
    principal: [
      `Your key holds ${reached.max} leases under all the agent ids that it names, as many as this server lets one key’s owner hold.`,
      'Hand in, release or fail an item you hold, or give each agent a key of its own.',
    ],
    type: [
      `${reached.max} items of type '${reached.type}' are under a lease, as many as may be at a time.`,
      'Wait until one of them is handed in (?wait=20 waits for you), or check out without a type to get other work.',
    ],
    tenant: [
      `${reached.max} items of this tenant are under a lease, as many as may be at a time.`,
      'Wait until one of them is handed in; ?wait=20 waits for you.',
    ],
  } as const
  const [detail, fix] = words[reached.limit]
  return new WorkError('lease_limit_reached', {
    detail,
    fix,
    extra: { limit: reached.limit, max: reached.max, ...(reached.type === undefined ? {} : { order_type: reached.type }) },
    retryAfterSeconds: 1,
  })
}

/** The limit of one type or of the tenant that leaves no room now; of agents others may have room. */
export function fullLimit(
  limits: LeaseLimits | null,
  type: string,
  leased: { readonly ofType: number; readonly ofTenant: number },
): LeaseLimitReached | null {
  const ofType = limits?.types?.[type] ?? limits?.type
  if (ofType !== undefined && leased.ofType >= ofType) return { limit: 'type', max: ofType, type }
  return limits?.tenant !== undefined && leased.ofTenant >= limits.tenant ? { limit: 'tenant', max: limits.tenant } : null
}
