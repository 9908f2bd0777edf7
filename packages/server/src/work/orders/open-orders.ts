/** How many orders of one principal wait for somebody: a cap, so that one proposer cannot bury the work and the reviewers of a tenant. */
import { WorkError } from '@work-manager/contract'
import type { Principal } from '../../kernel/principal.ts'
import type { Queryable } from '../../kernel/store/tx.ts'
import type { WorkContext } from '../tools.ts'
import { countOpenOrders } from './store.ts'

const allowanceKey = ({ tenantId, name }: Principal): string => `${tenantId} ${name}`

/** True while there is room that needs no counting; one order of it is taken. */
export function takeKnownRoom({ principal, tools }: WorkContext): boolean {
  if (principal.kind === 'system') return true
  const key = allowanceKey(principal)
  const known = tools.allowances.get(key) ?? { left: Math.floor(tools.settings.maxOpenOrders / 100) }
  if (known.left <= 0) return false
  tools.allowances.set(key, known)
  known.left--
  return true
}

/**
 * Counting is a walk over what is open, so it is done each time that a tenth of the room may be gone, by this process; and not for the first
 * hundredth, which is all that most ever propose. The cap holds to within that. Refuses with: too_many_open_orders.
 */
export async function assertRoomForOrder(q: Queryable, context: WorkContext): Promise<void> {
  if (takeKnownRoom(context)) return
  const { principal, tools } = context
  const { maxOpenOrders: most } = tools.settings
  const open = await countOpenOrders(q, principal.name, most)
  if (open >= most)
    throw new WorkError('too_many_open_orders', {
      detail: `${most} orders that you proposed are still open, as many as one principal may have.`,
      extra: { max: most },
      retryAfterSeconds: 60,
    })
  tools.allowances.set(allowanceKey(principal), { left: Math.ceil((most - open) / 10) - 1 })
}
