/** Says once per standstill that an open order has not moved for longer than the threshold: an event, and a line in the log. */
import type { WorkTools } from '../tools.ts'
import { alertStaleOrder } from './alert-stale-order.ts'
import { topics } from '../topics.ts'
import { systemActor } from '../../kernel/store/events.ts'
import { findStaleOrders } from './store.ts'
import { type ServiceDefinition, sweep } from '../../kernel/service.ts'

const batch = 100
const actor = systemActor('stale-order-alert')

export function staleOrderAlert(
  tools: WorkTools,
  settings: { readonly thresholdHours: number; readonly logAlerts: boolean },
): ServiceDefinition {
  const { system, signal, log } = tools
  return {
    name: 'stale-order-alert',
    everyMs: 60_000,
    settings: { thresholdHours: settings.thresholdHours },
    async run(round) {
      const stale = await findStaleOrders(system, settings.thresholdHours, batch)
      const done = await sweep(stale, { log: tools.log, round }, (order) => alertStaleOrder(tools, order, settings.thresholdHours, actor))
      if (done > 0) {
        signal.wake(topics.events)
        if (settings.logAlerts) log.warn({ count: done, order_ids: stale.map((order) => order.id) }, 'Stale work orders detected')
      }
      return { done, more: done === batch }
    },
  }
}
