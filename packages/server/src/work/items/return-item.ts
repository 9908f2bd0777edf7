/** The end of a lease without a result: back to the queue, or failed for good when the attempts are used up. */
import { type Actor, type NewEvent, partOf } from '../../kernel/store/events.ts'
import { type ItemRow, moveItems } from './store.ts'
import type { OrderRow } from '../orders/store.ts'
import type { Instant, Tx } from '../../kernel/store/tx.ts'
import { reopenIdleOrder } from '../orders/order-flow.ts'

/**
 * The caller holds the locks of order and item and knows that the item is under a lease. Returns the events that follow the one of the
 * lease's end. An attempt is an attempt however it ended: an agent that takes and releases an item for ever runs out of them, too.
 */
export async function returnItem(
  tx: Tx,
  order: OrderRow,
  item: ItemRow,
  at: Instant,
  actor: Actor,
  error: { code: string; message: string } | null,
): Promise<NewEvent[]> {
  const final = item.attempts >= item.max_attempts
  const used = { code: 'max_attempts_exceeded', message: 'Maximum retry attempts exceeded', attempt: item.attempts }
  const last = error && { ...error, attempt: item.attempts }
  await moveItems(tx, [item.id], item.state, final ? 'failed' : 'queued', at, {
    ...(final ? { error: used } : last ? { error: last } : {}),
  })
  const failed: NewEvent[] = final
    ? [{ kind: 'item.failed', ...partOf(order, item.id), reason: used.code, payload: { error: used, will_retry: false } }]
    : []
  return [...failed, ...(await reopenIdleOrder(tx, order, at, actor))]
}
