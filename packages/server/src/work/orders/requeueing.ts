/** Bringing failed, rejected and dead-lettered items of one order back; shared by requeue-order.ts and requeue-item.ts. */
import { type ItemState, WorkError } from '@work-manager/contract'
import { illegalMove } from '../../kernel/transitions.ts'
import { appendEvents, type Fact } from '../../kernel/store/events.ts'
import { type ItemRow, moveItems } from '../items/store.ts'
import { moveOrder, type OrderRow, setItemsDead } from './store.ts'
import type { Actor } from '../../kernel/store/events.ts'
import type { Instant, Tx } from '../../kernel/store/tx.ts'

const revivable = ['failed', 'dead_lettered', 'rejected'] as const satisfies readonly ItemState[]
export const isRevivable = (item: ItemRow): boolean => revivable.some((state) => state === item.state)

/**
 * The caller holds the locks of the order and its items. Attempts start again at 0; lease generations go on counting.
 * Refuses with: illegal_state_transition.
 */
export async function requeue(
  tx: Tx,
  order: OrderRow,
  items: readonly ItemRow[],
  at: Instant,
  actor: Actor,
  reason: string,
): Promise<void> {
  const open = ['queued', 'checked_out', 'in_progress'].includes(order.state)
  const closed = (['failed', 'dead_lettered', 'rejected'] as const).find((state) => state === order.state)
  if (!open && !closed) throw illegalMove('order', order.state, 'queued')
  const facts: Fact[] = []
  let revived = 0
  for (const state of revivable) {
    const ids = items.filter((item) => item.state === state).map((item) => item.id)
    const moved = await moveItems(tx, ids, state, 'queued', at, { attempts: 0, error: null })
    if (state === 'dead_lettered') revived += moved.length
    facts.push(
      ...moved.map((id) => ({
        kind: 'item.requeued' as const,
        orderId: order.id,
        itemId: id,
        orderType: order.type,
        payload: { reason, from: state },
        message: 'Item requeued',
      })),
    )
  }
  if (facts.length === 0)
    throw new WorkError('illegal_state_transition', {
      detail: 'No item of it is failed, rejected or dead-lettered.',
      extra: { current_state: order.state },
    })
  const dead = Math.max(0, order.items_dead - revived)
  if (closed) {
    await moveOrder(tx, order.id, closed, 'queued', at, { itemsDead: dead })
    facts.push({
      kind: 'order.requeued',
      orderId: order.id,
      orderType: order.type,
      payload: { reason, from: closed },
      message: reason.slice(0, 500),
    })
  } else if (dead !== order.items_dead) {
    await setItemsDead(tx, order.id, dead, at)
  }
  await appendEvents(tx, actor, at, facts)
}
