/** The item that a caller says it holds, locked and judged. */
import { WorkError } from '@work-manager/contract'
import type { Instant, Tx } from '../../kernel/store/tx.ts'
import { claimOf } from '../leases/asker.ts'
import { holdsLease, type LeaseSeen } from '../leases/decide.ts'
import { lostLease } from '../leases/lost-lease.ts'
import type { WorkContext } from '../tools.ts'
import { findItemNow, type ItemRow, lockItem } from './store.ts'

const leaseOf = (item: ItemRow, decidedAt: Instant): LeaseSeen => ({
  state: item.state,
  token: item.lease_token,
  agentId: item.leased_by_agent_id,
  principal: item.leased_by_principal,
  requiresToken: item.require_token,
  expiresAt: item.lease_expires_at,
  decidedAt,
})

/**
 * Looks at the lease before anything of the type runs: whoever does not hold it makes the server do no work for it. Only a look; the verb
 * judges again under the lock. Refuses with: not_found and the lease refusals.
 */
export const assertHolds = (context: WorkContext, id: string, token: string | undefined): Promise<void> =>
  context.read(async (q) => {
    const item = await findItemNow(q, id)
    if (!item) throw new WorkError('not_found')
    const claim = claimOf(context, token)
    const seen = leaseOf(item, item.decided_at)
    if (!holdsLease(seen, claim)) throw await lostLease(q, context.principal.tenantId, id, seen, claim)
  })

/** Locks the item, then reads the clock, then judges the lease. Refuses with: not_found and the lease refusals. */
export async function lockHeldItem(
  tx: Tx,
  context: WorkContext,
  id: string,
  token: string | undefined,
): Promise<{ item: ItemRow; at: Instant }> {
  const item = await lockItem(tx, id)
  if (!item) throw new WorkError('not_found')
  const at = await tx.clock()
  const claim = claimOf(context, token)
  const seen = leaseOf(item, at)
  if (!holdsLease(seen, claim)) throw await lostLease(tx, tx.tenantId, id, seen, claim)
  return { item, at }
}
