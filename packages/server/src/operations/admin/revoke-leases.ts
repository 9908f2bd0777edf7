import Type from 'typebox'
import { topics } from '../../signals/work-signal.ts'
import { appendEvents, type Fact } from '../../store/events.ts'
import { moveItems } from '../../store/items.ts'
import { findLeases, lockLeases } from '../../store/leases.ts'
import { lockOrders } from '../../store/orders.ts'
import { actorOf } from '../actor.ts'
import { defineOperation } from '../operation.ts'
import { reopenIdleOrder } from '../work/order-flow.ts'
import { filterOf, leaseOutput, mostLeases, selection, shown } from './lease-selection.ts'

/** Refuses with: validation_failed (nothing selects), agents_cannot_decide. */
export const revokeLeases = defineOperation({
  name: 'revoke_leases',
  summary: 'End leases of others, with a reason; the items are ready for the next agent at once, and the holders’ tokens are dead.',
  http: { method: 'POST', path: '/leases/revoke', success: 200 },
  ability: 'admin:leases',
  peopleOnly: true,
  idempotency: 'accepted',
  input: Type.Object(selection),
  output: leaseOutput,
  async handler(context, input) {
    const filter = filterOf(input)
    if (input.dry_run) {
      const found = await context.read((q) => findLeases(q, filter, mostLeases + 1))
      return {
        status: 200,
        body: { leases: found.slice(0, mostLeases).map((lease) => shown(lease)), more: found.length > mostLeases, dry_run: true },
      }
    }
    const actor = actorOf(context)
    const reply = await context.write(async (tx) => {
      const candidates = await findLeases(tx, filter, mostLeases + 1)
      const wanted = candidates.slice(0, mostLeases)
      const orders = await lockOrders(tx, [...new Set(wanted.map((lease) => lease.order_id))])
      const leases = await lockLeases(
        tx,
        filter,
        wanted.map((lease) => lease.id),
      )
      const at = await tx.clock()
      for (const state of ['leased', 'in_progress'] as const)
        await moveItems(
          tx,
          leases.filter((lease) => lease.state === state).map((lease) => lease.id),
          state,
          'queued',
          at,
        )
      const facts: Fact[] = leases.map((lease) => ({
        kind: 'item.lease_revoked',
        orderId: lease.order_id,
        itemId: lease.id,
        orderType: lease.order_type,
        payload: {
          reason: input.reason,
          generation: Number(lease.generation),
          agent_id: lease.leased_by_agent_id,
          lease_expires_at: lease.lease_expires_at,
        },
        message: input.reason.slice(0, 500),
      }))
      for (const order of orders) facts.push(...(await reopenIdleOrder(tx, order, at, actor)))
      await appendEvents(tx, actor, at, facts)
      return { status: 200, body: { leases: leases.map((lease) => shown(lease)), more: candidates.length > mostLeases, dry_run: false } }
    })
    context.services.signal.wake(topics.ready(context.principal.tenantId))
    return reply
  },
})
