/** The lease rule in words and its refusals. Pure. The same rule guards writes in SQL (`wm.holds_lease`); a test holds the two together. */
import { itemIs, type ItemState, WorkError } from '@work-manager/contract'

/** RFC 3339 UTC with microseconds: compares as text. */
type Instant = string

export interface LeaseSeen {
  readonly state: ItemState
  readonly token: string | null
  readonly agentId: string | null
  readonly principal: string | null
  readonly requiresToken: boolean
  readonly expiresAt: Instant | null
  /** Decision point: the database clock, read after the locks. */
  readonly decidedAt: Instant
}

export interface LeaseClaim {
  readonly token: string | null
  readonly agentId: string
  readonly principal: string
}

/** Held = live, by this principal under this agent id, and with the token of the latest grant. */
export function holdsLease(seen: LeaseSeen, claim: LeaseClaim): boolean {
  return (
    itemIs.held(seen.state) &&
    seen.expiresAt !== null &&
    seen.decidedAt <= seen.expiresAt &&
    seen.principal === claim.principal &&
    seen.agentId === claim.agentId &&
    (seen.token === claim.token || (claim.token === null && !seen.requiresToken))
  )
}

/** The generation inside a token `wl.<epoch>.<generation>.<random>`; null when it is not one. */
export function tokenGeneration(token: string): number | null {
  const match = /^wl\.\d+\.(\d+)\.[A-Za-z0-9_-]{22}$/.exec(token)
  return match ? Number(match[1]) : null
}

/** Says why `claim` does not hold the lease, in words that tell the agent to stop. Never says who holds it. */
export function leaseRefusal(seen: LeaseSeen, claim: LeaseClaim): WorkError {
  const { state } = seen
  const lost = (reason: string, detail: string) => new WorkError('lease_lost', { detail, extra: { reason, current_state: state } })
  if (state === 'cancelled') return lost('cancelled', 'The order was cancelled; the lease ended with it.')
  if (!itemIs.held(state)) {
    if (itemIs.handed_in(state))
      return new WorkError('already_submitted', {
        detail: `The item was already handed in; it is ${state}.`,
        extra: { current_state: state },
      })
    if (claim.token !== null) return lost('expired', `This lease has ended (released, expired, failed or revoked); the item is ${state}.`)
    return new WorkError('lease_error', { detail: `This item is not leased to you; it is ${state}.`, extra: { current_state: state } })
  }
  const isHolder = seen.principal === claim.principal && seen.agentId === claim.agentId
  if (claim.token !== null && seen.token !== claim.token)
    return lost(
      tokenGeneration(claim.token) === null ? 'unknown_token' : 'superseded',
      'The lease token is not the one of the live lease; the item was leased again since.',
    )
  if (!isHolder) return new WorkError('lease_error', { detail: 'This item is leased by a different agent' })
  if (seen.expiresAt !== null && seen.decidedAt > seen.expiresAt)
    return new WorkError('lease_expired', {
      detail: 'The lease on this work item has expired',
      extra: { reason: 'expired', expired_at: seen.expiresAt },
    })
  return new WorkError('lease_token_required')
}
