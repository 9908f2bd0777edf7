/** Ending leases of others, at most so many at a time: for a person who revokes them and for a pause. */
import { itemMachine, statesTagged } from '@work-manager/contract'
import { type Actor, appendEvents, type NewEvent, ofItem } from '../../kernel/store/events.ts'
import { moveItems } from '../items/store.ts'
import { findLeases, type LeaseFilter, type LeaseRow, lockLeases } from './store.ts'
import { lockOrders } from '../orders/store.ts'
import { topics } from '../topics.ts'
import type { Tx } from '../../kernel/store/tx.ts'
import type { WorkTools } from '../tools.ts'
import { reopenIdleOrder } from '../orders/order-flow.ts'

/** The items are ready for the next agent, the holders' tokens are dead. `more`: others matched, too. */
export async function endLeases(
  tx: Tx,
  filter: LeaseFilter,
  most: number,
  actor: Actor,
  reason: string,
): Promise<{ leases: readonly LeaseRow[]; more: boolean }> {
  const candidates = await findLeases(tx, filter, most + 1)
  const wanted = candidates.slice(0, most)
  const orders = await lockOrders(tx, [...new Set(wanted.map((lease) => lease.order_id))])
  const leases = await lockLeases(
    tx,
    filter,
    wanted.map((lease) => lease.id),
  )
  const at = await tx.clock()
  for (const state of statesTagged(itemMachine, 'held'))
    await moveItems(
      tx,
      leases.filter((lease) => lease.state === state).map((lease) => lease.id),
      state,
      'queued',
      at,
    )
  const events: NewEvent[] = leases.map((lease) => ({
    kind: 'item.lease_revoked',
    ...ofItem(lease),
    payload: {
      reason,
      generation: Number(lease.generation),
      agent_id: lease.leased_by_agent_id,
      lease_expires_at: lease.lease_expires_at,
    },
    message: reason.slice(0, 500),
  }))
  for (const order of orders) events.push(...(await reopenIdleOrder(tx, order, at, actor)))
  await appendEvents(tx, actor, at, events)
  return { leases, more: candidates.length > most }
}

const batch = 500

/** All leases of a filter, a batch at a time: nothing of it is granted any more. Returns how many ended. */
export async function endAllLeases(
  tools: Pick<WorkTools, 'db' | 'signal'>,
  tenantId: string,
  filter: LeaseFilter,
  actor: Actor,
  reason: string,
): Promise<number> {
  let ended = 0
  for (let more = true; more;) {
    const done = await tools.db.transaction(tenantId, (tx) => endLeases(tx, filter, batch, actor, reason))
    ended += done.leases.length
    more = done.more
  }
  tools.signal.wake(topics.ready(tenantId))
  tools.signal.wake(topics.events)
  return ended
}
