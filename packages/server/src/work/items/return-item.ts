/** The end of a lease without a result: back to the queue, or failed for good when the attempts are used up. */
import { afterDrop, type DropRules, isWithinGrace } from '../leases/decide-drop.ts'
import { type Actor, type NewEvent, partOf } from '../../kernel/store/events.ts'
import { type ItemRow, moveItems } from './store.ts'
import type { OrderRow } from '../orders/store.ts'
import type { Instant, Tx } from '../../kernel/store/tx.ts'
import { reopenIdleOrder } from '../orders/order-flow.ts'

/**
 * The caller holds the locks of order and item and knows that the item is under a lease. Returns the events that follow the one of the
 * lease's end. `isGivenBack`: by its holder, who gets the attempt back when it was quick about it; an attempt that ended in any other way is
 * one. Whoever lets the item go again and again waits for it longer each time.
 */
export async function returnItem(
  tx: Tx,
  order: OrderRow,
  item: ItemRow,
  at: Instant,
  actor: Actor,
  how: { readonly rules: DropRules; readonly isGivenBack: boolean; readonly error: { code: string; message: string } | null },
): Promise<NewEvent[]> {
  const { error } = how
  const attempts = how.isGivenBack && isWithinGrace(item.leased_at, at, how.rules) ? item.attempts - 1 : item.attempts
  const final = attempts >= item.max_attempts
  const used = { code: 'max_attempts_exceeded', message: 'Maximum retry attempts exceeded', attempt: item.attempts }
  const last = error && { ...error, attempt: item.attempts }
  await moveItems(tx, [item.id], item.state, final ? 'failed' : 'queued', at, {
    ...(final ? { error: used } : last ? { error: last } : {}),
    attempts,
    droppedBy: afterDrop(item.dropped_by, { principal: item.leased_by_principal!, at }, how.rules),
  })
  const failed: NewEvent[] = final
    ? [{ kind: 'item.failed', ...partOf(order, item.id), reason: used.code, payload: { error: used, will_retry: false } }]
    : []
  return [...failed, ...(await reopenIdleOrder(tx, order, at, actor))]
}
