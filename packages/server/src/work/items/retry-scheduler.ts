/** Brings failed items back when their backoff is over. */
import { orderIs } from '@work-manager/contract'
import type { WorkTools } from '../tools.ts'
import { topics } from '../topics.ts'
import { appendEvents, partOf, systemActor } from '../../kernel/store/events.ts'
import { findDueRetries, lockItem, moveItems } from './store.ts'
import { tryLockOrder } from '../orders/store.ts'
import { traceIdOf } from '../../tracing/traceparent.ts'
import { type ServiceDefinition, sweep } from '../../kernel/service.ts'

const batch = 100
const service = 'retry-scheduler'

export function retryScheduler(tools: WorkTools): ServiceDefinition {
  const { db, system, signal } = tools
  const retry = (tenantId: string, orderId: string, itemId: string): Promise<boolean> =>
    db.transaction(tenantId, async (tx) => {
      const order = await tryLockOrder(tx, orderId)
      const item = order && (await lockItem(tx, itemId))
      if (!order || item?.state !== 'failed' || !orderIs.open(order.state)) return false
      const at = await tx.clock()
      await moveItems(tx, [item.id], 'failed', 'queued', at)
      await appendEvents(tx, systemActor(service, traceIdOf(item.traceparent)), at, [
        {
          kind: 'item.retried',
          ...partOf(order, item.id),
          payload: { attempts: item.attempts, max_attempts: item.max_attempts },
        },
      ])
      return true
    })
  return {
    name: 'retry-scheduler',
    everyMs: 1000,
    async run(round) {
      const due = await findDueRetries(system, batch)
      const done = await sweep(due, { log: tools.log, round }, async (item) => {
        const retried = await retry(item.tenant_id, item.order_id, item.id)
        if (retried) signal.wake(topics.ready(item.tenant_id))
        return retried
      })
      if (done > 0) signal.wake(topics.events)
      return { done, more: done === batch }
    },
  }
}
