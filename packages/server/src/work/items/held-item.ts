/** The item that a caller says it holds, locked and judged. */
import { WorkError } from '@work-manager/contract'
import type { Instant, Tx } from '../../kernel/store/tx.ts'
import { claimOf } from '../leases/asker.ts'
import { holdsLease, type LeaseFacts } from '../leases/decide.ts'
import { lostLease } from '../leases/lost-lease.ts'
import type { WorkContext } from '../tools.ts'
import { type ItemRow, lockItem } from './store.ts'

const leaseOf = (item: ItemRow, decidedAt: Instant): LeaseFacts => ({
  state: item.state,
  token: item.lease_token,
  agentId: item.leased_by_agent_id,
  principal: item.leased_by_principal,
  requiresToken: item.require_token,
  expiresAt: item.lease_expires_at,
  decidedAt,
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
  const facts = leaseOf(item, at)
  if (!holdsLease(facts, claim)) throw await lostLease(tx, tx.tenantId, id, facts, claim)
  return { item, at }
}
