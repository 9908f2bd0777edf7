import Type from 'typebox'
import { topics } from '../topics.ts'
import { findLeases, type LeaseRow } from './store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { defineOperation } from '../tools.ts'
import { reclaimLease } from './reclaim-lease.ts'
import { leaseOutput, mostLeases, selection, shown } from './lease-selection.ts'

const { agent, order, type, dry_run, reason } = selection

/** What the lease reclaimer does, now: items go back to the queue, or fail when their attempts are used up. */
export const reclaimLeases = defineOperation({
  name: 'reclaim_leases',
  summary: 'Take leases back that have run out, without waiting for the server to do it.',
  http: { method: 'POST', path: '/leases/reclaim', success: 200 },
  ability: 'admin:leases',
  peopleOnly: true,
  idempotency: 'none',
  refuses: [],
  command: { words: 'lease reclaim', byHand: true },
  tool: 'administration is not an agent’s work',
  input: Type.Object({ agent, order, type, dry_run, reason: Type.Optional(reason) }),
  output: leaseOutput,
  async handler(context, input) {
    const { tools, principal } = context
    const filter = { agentId: input.agent, orderId: input.order?.toLowerCase(), orderType: input.type, expired: true }
    const found = await context.read((q) => findLeases(q, filter, mostLeases + 1))
    const wanted = found.slice(0, mostLeases)
    const taken: LeaseRow[] = []
    const actor = actorOf(context)
    for (const lease of input.dry_run ? [] : wanted) if (await reclaimLease(tools, lease, actor, input.reason)) taken.push(lease)
    if (taken.length > 0) for (const topic of [topics.events, topics.failed, topics.ready(principal.tenantId)]) tools.signal.wake(topic)
    return {
      status: 200,
      body: {
        leases: (input.dry_run ? wanted : taken).map((lease) => shown(lease)),
        more: found.length > mostLeases,
        dry_run: input.dry_run === true,
      },
    }
  },
})
