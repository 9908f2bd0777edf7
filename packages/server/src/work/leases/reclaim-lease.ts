/** Taking one expired lease back: the same for the background service and for a person who asks for it now. */
import { itemIs } from '@work-manager/contract'
import { type Actor, appendEvents, partOf } from '../../kernel/store/events.ts'
import { type ItemAddress, lockItem } from '../items/store.ts'
import { tryLockOrder } from '../orders/store.ts'
import { attributesOf } from '../../tracing/attributes.ts'
import { leaseTraceparent, traceIdOf } from '../../tracing/traceparent.ts'
import type { WorkTools } from '../tools.ts'
import { returnItem } from '../items/return-item.ts'
import { dropRulesOf } from './drop-rules.ts'

/**
 * Order lock, item lock, clock, re-check, guarded write: a heartbeat that came first keeps its lease. An order in use is left for the
 * next sweep. `reason` stands on the record when a person asked. Returns whether the lease was taken back.
 */
export async function reclaimLease(tools: WorkTools, lease: ItemAddress, by: Actor, reason?: string): Promise<boolean> {
  const taken = await tools.db.transaction(lease.tenant_id, async (tx) => {
    const order = await tryLockOrder(tx, lease.order_id)
    const item = order && (await lockItem(tx, lease.id))
    if (!order || !item || item.lease_expires_at === null || !itemIs.held(item.state)) return null
    const at = await tx.clock()
    if (item.lease_expires_at >= at) return null
    const actor = { ...by, traceId: by.traceId ?? traceIdOf(item.traceparent) }
    const lost = {
      generation: Number(item.generation),
      attempts: item.attempts,
      agent_id: item.leased_by_agent_id,
      lease_expires_at: item.lease_expires_at,
      ...(reason === undefined ? {} : { reason }),
    }
    // At once, without backoff: an agent that fell silent says nothing about the work.
    const following = await returnItem(tx, order, item, at, actor, {
      rules: dropRulesOf(tools, order.type),
      isGivenBack: false,
      error: { code: 'lease_expired', message: 'The agent fell silent; its lease ran out.' },
    })
    await appendEvents(tx, actor, at, [{ kind: 'item.lease_expired', ...partOf(order, item.id), payload: lost }, ...following])
    return { item, orderType: order.type }
  })
  if (!taken) return false
  const { item, orderType } = taken
  if (tools.tracing.isOn && item.traceparent !== null)
    tools.tracing
      .start('reclaim_lease', {
        parent: leaseTraceparent(item.traceparent, item.lease_token!),
        attributes: attributesOf({ itemId: item.id, orderId: item.order_id, orderType, attempt: item.attempts }),
      })
      .end()
  return true
}
