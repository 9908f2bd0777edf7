/**
 * Keeping a lease. The move itself (a new end; the first one also leased → in progress) is `wm.heartbeat_items` in
 * migrations/routines/20_leases.sql, reached by hot-path/heartbeat-batch.ts; with Redis most are answered from a hint.
 */
import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { topics } from '../topics.ts'
import { askerOf, claimOf } from './asker.ts'
import { itemId, leaseToken } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { lostLease } from './lost-lease.ts'
import { getItemBrief } from '../items/item-brief.ts'
import { leaseRefusals } from './refusals.ts'

export const heartbeatItem = defineOperation({
  name: 'heartbeat_item',
  summary: 'Extend the lease on an item.',
  http: { method: 'POST', path: '/items/:item/heartbeat', success: 200 },
  ability: 'work:heartbeat',
  rate: 'shed_last',
  idempotency: 'none',
  refuses: ['not_found', ...leaseRefusals],
  command: { words: 'items heartbeat' },
  tool: {
    name: 'work_heartbeat',
    title: 'Keep the lease',
    advice: 'Call it every heartbeat_every_seconds while you work. lease_lost or lease_expired: stop working on the item.',
  },
  input: Type.Object({ item: itemId, lease_token: leaseToken }),
  output: Type.Object({ lease_expires_at: Type.String({ format: 'date-time' }) }),
  async handler(context, input) {
    // Only for the span's sake: the statement finds the item by itself.
    if (context.trace) await getItemBrief(context, input.item, input.lease_token)
    const answer = await context.tools.hotPath.heartbeat({ ...askerOf(context), itemId: input.item, token: input.lease_token ?? null })
    if (answer.kind === 'absent') throw new WorkError('not_found')
    if (answer.kind === 'refused') {
      const { seen } = answer
      throw await context.read((q) => lostLease(q, context.principal.tenantId, input.item, seen, claimOf(context, input.lease_token)))
    }
    if (!answer.absorbed) context.tools.signal.wake(topics.events)
    return { status: 200, json: `{"lease_expires_at":"${answer.expiresAt}"}` }
  },
})
