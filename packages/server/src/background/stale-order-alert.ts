/** Says once per standstill that an open order has not moved for longer than the threshold: an event, and a line in the log. */
import type { Services } from '../operations/services.ts'
import { topics } from '../signals/work-signal.ts'
import { appendEvents, systemActor } from '../store/events.ts'
import { findStaleOrders, markStale } from '../store/orders.ts'
import { type ServiceDefinition, sweep } from './service.ts'

const batch = 100
const actor = systemActor('stale-order-alert')

export function staleOrderAlert(services: Services, settings: { readonly thresholdHours: number; readonly logAlerts: boolean }): ServiceDefinition {
  const { db, system, signal, log } = services
  return {
    name: 'stale-order-alert',
    everyMs: 60_000,
    async run() {
      const stale = await findStaleOrders(system, settings.thresholdHours, batch)
      const done = await sweep(stale, services, (order) =>
        db.transaction(order.tenant_id, async (tx) => {
          const at = await tx.clock()
          if (!(await markStale(tx, order.id, order.last_transitioned_at, at))) return false
          await appendEvents(tx, actor, at, [{ kind: 'order.stale', orderId: order.id, orderType: order.type, payload: { state: order.state, since: order.last_transitioned_at, threshold_hours: settings.thresholdHours } }])
          return true
        }),
      )
      if (done > 0) {
        signal.wake(topics.facts)
        if (settings.logAlerts) log.warn({ count: done, order_ids: stale.map((order) => order.id) }, 'Stale work orders detected')
      }
      return { done, more: done === batch }
    },
  }
}
