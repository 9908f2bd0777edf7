/** Says once per standstill that an open order has not moved for longer than the threshold: an event, and a line in the log. */
import type { Services } from '../operations/services.ts'
import { alertStaleOrder } from '../operations/upkeep/alert-stale-order.ts'
import { topics } from '../signals/work-signal.ts'
import { systemActor } from '../store/events.ts'
import { findStaleOrders } from '../store/orders.ts'
import { type ServiceDefinition, sweep } from './service.ts'

const batch = 100
const actor = systemActor('stale-order-alert')

export function staleOrderAlert(
  services: Services,
  settings: { readonly thresholdHours: number; readonly logAlerts: boolean },
): ServiceDefinition {
  const { system, signal, log } = services
  return {
    name: 'stale-order-alert',
    everyMs: 60_000,
    async run() {
      const stale = await findStaleOrders(system, settings.thresholdHours, batch)
      const done = await sweep(stale, services, (order) => alertStaleOrder(services, order, settings.thresholdHours, actor))
      if (done > 0) {
        signal.wake(topics.facts)
        if (settings.logAlerts) log.warn({ count: done, order_ids: stale.map((order) => order.id) }, 'Stale work orders detected')
      }
      return { done, more: done === batch }
    },
  }
}
