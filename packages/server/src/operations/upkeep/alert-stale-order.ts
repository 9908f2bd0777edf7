/** Saying on the record that an order stands still. */
import { type Actor, appendEvents } from '../../store/events.ts'
import { markStale, type OrderAddress } from '../../store/orders.ts'
import type { Services } from '../services.ts'

/** Once per standstill; false when the order moved or was reported meanwhile. */
export function alertStaleOrder(services: Services, order: OrderAddress, thresholdHours: number, actor: Actor): Promise<boolean> {
  return services.db.transaction(order.tenant_id, async (tx) => {
    const at = await tx.clock()
    if (!(await markStale(tx, order.id, order.last_transitioned_at, at))) return false
    await appendEvents(tx, actor, at, [
      {
        kind: 'order.stale',
        orderId: order.id,
        orderType: order.type,
        payload: { state: order.state, since: order.last_transitioned_at, threshold_hours: thresholdHours },
      },
    ])
    return true
  })
}
