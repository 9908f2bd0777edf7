/** Why a lease verb is refused: a pause in force comes first, because it is what the holder has to hear. */
import type { WorkError } from '@work-manager/contract'
import { pausedRefusal } from '../pauses/decide.ts'
import { type LeaseClaim, type LeaseSeen, leaseRefusal } from './decide.ts'
import { findPauseOfItem } from '../pauses/store.ts'
import type { Queryable } from '../../kernel/store/tx.ts'

/** A pause ends every lease of its scope, so only those without one ask here and the live path pays nothing. */
export async function lostLease(q: Queryable, tenantId: string, itemId: string, seen: LeaseSeen, claim: LeaseClaim): Promise<WorkError> {
  const refusal = leaseRefusal(seen, claim)
  if (refusal.code === 'already_submitted') return refusal
  const pause = await findPauseOfItem(q, tenantId, itemId, claim)
  return pause ? pausedRefusal(pause) : refusal
}
