/** Saying on the record that an order stands still. */
import { type Actor, appendEvents, ofOrder } from '../../kernel/store/events.ts'
import { markStale, type OrderAddress } from './store.ts'
import type { WorkTools } from '../tools.ts'

/** Once per standstill; false when the order moved or was reported meanwhile. */
export function alertStaleOrder(tools: WorkTools, order: OrderAddress, thresholdHours: number, actor: Actor): Promise<boolean> {
  return tools.db.transaction(order.tenant_id, async (tx) => {
    const at = await tx.clock()
    if (!(await markStale(tx, order.id, order.last_transitioned_at, at))) return false
    await appendEvents(tx, actor, at, [
      {
        kind: 'order.stale',
        ...ofOrder(order),
        payload: { state: order.state, since: order.last_transitioned_at, threshold_hours: thresholdHours },
      },
    ])
    return true
  })
}
