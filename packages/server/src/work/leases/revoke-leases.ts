import Type from 'typebox'
import { topics } from '../topics.ts'
import { findLeases } from './store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { defineOperation } from '../tools.ts'
import { endLeases } from './end-leases.ts'
import { filterOf, leaseOutput, mostLeases, selection, shown } from './lease-selection.ts'

export const revokeLeases = defineOperation({
  name: 'revoke_leases',
  summary: 'End leases of others, with a reason; the items are ready for the next agent at once, and the holders’ tokens are dead.',
  http: { method: 'POST', path: '/leases/revoke', success: 200 },
  ability: 'admin:leases',
  peopleOnly: true,
  idempotency: 'accepted',
  // validation_failed: nothing selects.
  refuses: ['validation_failed'],
  command: { words: 'lease release', byHand: true },
  tool: 'administration is not an agent’s work',
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
    const reply = await context.write(async (tx) => {
      const { leases, more } = await endLeases(tx, filter, mostLeases, actorOf(context), input.reason)
      return { status: 200, body: { leases: leases.map((lease) => shown(lease)), more, dry_run: false } }
    })
    context.tools.signal.wake(topics.ready(context.principal.tenantId))
    return reply
  },
})
