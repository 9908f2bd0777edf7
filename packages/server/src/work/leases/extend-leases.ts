import Type from 'typebox'
import { appendEvents, type NewEvent, ofItem } from '../../kernel/store/events.ts'
import { extendLeases as extend, findLeases, lockLeases } from './store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { defineOperation } from '../tools.ts'
import { filterOf, leaseOutput, mostLeases, selection, shown } from './lease-selection.ts'

/** Only live leases: what has run out is lost, whoever wishes. A later heartbeat does not take the added time away. */
export const extendLeases = defineOperation({
  name: 'extend_leases',
  summary: 'Give live leases of others more time, with a reason; none gets shorter by it.',
  http: { method: 'POST', path: '/leases/extend', success: 200 },
  ability: 'admin:leases',
  peopleOnly: true,
  idempotency: 'accepted',
  // validation_failed: nothing selects.
  refuses: ['validation_failed'],
  command: { words: 'lease extend', byHand: true },
  tool: 'administration is not an agent’s work; an agent sends heartbeats',
  input: Type.Object({
    ...selection,
    ttl_seconds: Type.Integer({ minimum: 1, maximum: 86_400, description: 'They last at least this long from now.' }),
  }),
  output: leaseOutput,
  async handler(context, input) {
    const filter = { ...filterOf(input), expired: false }
    if (input.dry_run) {
      const found = await context.read((q) => findLeases(q, filter, mostLeases + 1))
      return {
        status: 200,
        body: { leases: found.slice(0, mostLeases).map((lease) => shown(lease)), more: found.length > mostLeases, dry_run: true },
      }
    }
    return context.write(async (tx) => {
      const candidates = await findLeases(tx, filter, mostLeases + 1)
      const locked = await lockLeases(
        tx,
        filter,
        candidates.slice(0, mostLeases).map((lease) => lease.id),
      )
      const at = await tx.clock()
      const leases = locked.filter((lease) => lease.lease_expires_at >= at)
      const until = await extend(
        tx,
        leases.map((lease) => lease.id),
        at,
        input.ttl_seconds,
      )
      const events = leases.map((lease): NewEvent => ({
        kind: 'item.lease_extended',
        ...ofItem(lease),
        payload: {
          reason: input.reason,
          generation: Number(lease.generation),
          agent_id: lease.leased_by_agent_id,
          from: lease.lease_expires_at,
          lease_expires_at: until.get(lease.id),
        },
        message: input.reason.slice(0, 500),
      }))
      await appendEvents(tx, actorOf(context), at, events)
      return {
        status: 200,
        body: { leases: leases.map((lease) => shown(lease, until.get(lease.id))), more: candidates.length > mostLeases, dry_run: false },
      }
    })
  },
})
