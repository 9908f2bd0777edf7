/** Moves of an order that follow from moves of its items. The caller holds the order's lock and wrote the items in this transaction. */
import { orderIs } from '@work-manager/contract'
import { type Actor, type NewEvent, ofOrder, systemActor } from '../../kernel/store/events.ts'
import { countOpenItems } from '../items/store.ts'
import { moveOrder, type OrderRow } from './store.ts'
import type { Instant, Tx } from '../../kernel/store/tx.ts'

/** First sign of work: checked_out → in_progress. */
export async function beginOrder(tx: Tx, order: OrderRow, at: Instant): Promise<NewEvent[]> {
  if (order.state !== 'checked_out') return []
  await moveOrder(tx, order.id, order.state, 'in_progress', at)
  return [{ kind: 'order.in_progress', ...ofOrder(order), actor: systemActor('lifecycle') }]
}

/** All leases gone and nothing handed in: back to queued. */
export async function reopenIdleOrder(tx: Tx, order: OrderRow, at: Instant, actor: Actor): Promise<NewEvent[]> {
  const { state } = order
  if (!orderIs.working(state)) return []
  const open = await countOpenItems(tx, order.id)
  if (open.leased > 0 || open.submitted > 0) return []
  await moveOrder(tx, order.id, state, 'queued', at)
  return [{ kind: 'order.requeued', ...ofOrder(order), message: 'All leases ended; nothing was handed in', actor }]
}
