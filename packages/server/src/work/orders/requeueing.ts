/** Bringing failed, rejected and dead-lettered items of one order back; shared by requeue-order.ts and requeue-item.ts. */
import { itemIs, itemMachine, orderIs, statesTagged, WorkError } from '@work-manager/contract'
import { illegalMove } from '../../kernel/transitions.ts'
import { appendEvents, type NewEvent, ofOrder, partOf } from '../../kernel/store/events.ts'
import { type ItemRow, moveItems } from '../items/store.ts'
import { moveOrder, type OrderRow, setItemsDead } from './store.ts'
import type { Actor } from '../../kernel/store/events.ts'
import type { Instant, Tx } from '../../kernel/store/tx.ts'

export const isRevivable = (item: ItemRow): boolean => itemIs.revivable(item.state)

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
  const { state: was } = order
  if (!orderIs.open(was) && !orderIs.revivable(was)) throw illegalMove('order', was, 'queued')
  const events: NewEvent[] = []
  let revived = 0
  for (const state of statesTagged(itemMachine, 'revivable')) {
    const ids = items.filter((item) => item.state === state).map((item) => item.id)
    await moveItems(tx, ids, state, 'queued', at, { attempts: 0, error: null, droppedBy: null })
    if (state === 'dead_lettered') revived += ids.length
    events.push(
      ...ids.map((id) => ({
        kind: 'item.requeued' as const,
        ...partOf(order, id),
        payload: { reason, from: state },
        message: 'Item requeued',
      })),
    )
  }
  if (events.length === 0)
    throw new WorkError('illegal_state_transition', {
      detail: 'No item of it is failed, rejected or dead-lettered.',
      extra: { current_state: order.state },
    })
  const dead = Math.max(0, order.items_dead - revived)
  if (orderIs.revivable(was)) {
    await moveOrder(tx, order.id, was, 'queued', at, { itemsDead: dead })
    events.push({
      kind: 'order.requeued',
      ...ofOrder(order),
      payload: { reason, from: was },
      message: reason.slice(0, 500),
    })
  } else if (dead !== order.items_dead) {
    await setItemsDead(tx, order.id, dead, at)
  }
  await appendEvents(tx, actor, at, events)
}
