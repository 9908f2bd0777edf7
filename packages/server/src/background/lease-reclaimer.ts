/** Gives items whose lease ran out back to the queue, or sets them aside when their attempts are used up. */
import type { Services } from '../operations/services.ts'
import { reopenIdleOrder } from '../operations/work/order-flow.ts'
import { topics } from '../signals/work-signal.ts'
import { appendEvents, systemActor } from '../store/events.ts'
import { findExpiredLeases, lockItem, moveItems } from '../store/items.ts'
import { tryLockOrder } from '../store/orders.ts'
import { type ServiceDefinition, sweep } from './service.ts'

const batch = 100
const actor = systemActor('lease-reclaimer')

export function leaseReclaimer(services: Services, everyMs: number): ServiceDefinition {
  const { db, system, signal } = services

  /** Order lock, item lock, clock, re-check, guarded write: a heartbeat that came first keeps its lease. An order in use is left for the next sweep. */
  const reclaim = (tenantId: string, orderId: string, itemId: string): Promise<boolean> =>
    db.transaction(tenantId, async (tx) => {
      const order = await tryLockOrder(tx, orderId)
      const item = order && (await lockItem(tx, itemId))
      if (!order || !item || item.lease_expires_at === null || (item.state !== 'leased' && item.state !== 'in_progress')) return false
      const at = await tx.clock()
      if (item.lease_expires_at >= at) return false
      const lost = { generation: Number(item.generation), attempts: item.attempts, agent_id: item.leased_by_agent_id, lease_expires_at: item.lease_expires_at }
      const final = item.attempts >= item.max_attempts
      if (!final) {
        // At once, without backoff: an agent that fell silent says nothing about the work.
        await moveItems(tx, [item.id], item.state, 'queued', at, { error: { code: 'lease_expired', message: 'The agent fell silent; its lease ran out.', attempt: item.attempts } })
      } else {
        await moveItems(tx, [item.id], item.state, 'failed', at, { error: { code: 'max_attempts_exceeded', message: 'Maximum retry attempts exceeded', attempt: item.attempts } })
      }
      const reopened = await reopenIdleOrder(tx, order, at, actor)
      await appendEvents(tx, actor, at, [
        { kind: 'item.lease_expired', orderId: order.id, itemId: item.id, orderType: order.type, payload: lost },
        ...(final ? [{ kind: 'item.failed' as const, orderId: order.id, itemId: item.id, orderType: order.type, payload: { error: { code: 'max_attempts_exceeded' }, will_retry: false } }] : []),
        ...reopened,
      ])
      return true
    })

  return {
    name: 'lease-reclaimer',
    everyMs,
    async run() {
      const expired = await findExpiredLeases(system, batch)
      const done = await sweep(expired, services, async (lease) => {
        const reclaimed = await reclaim(lease.tenant_id, lease.order_id, lease.id)
        if (reclaimed) signal.wake(topics.ready(lease.tenant_id))
        return reclaimed
      })
      if (done > 0) {
        signal.wake(topics.facts)
        signal.wake(topics.failed)
      }
      return { done, more: done === batch }
    },
  }
}
