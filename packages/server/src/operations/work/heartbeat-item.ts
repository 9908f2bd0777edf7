import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { leaseRefusal } from '../../domain/leases.ts'
import { topics } from '../../signals/work-signal.ts'
import { askerOf, claimOf } from '../actor.ts'
import { itemId, leaseToken } from '../inputs.ts'
import { defineOperation } from '../operation.ts'

/** Refuses with: not_found, lease_lost, lease_expired, lease_error, lease_token_required, already_submitted. */
export const heartbeatItem = defineOperation({
  name: 'heartbeat_item',
  summary: 'Extend the lease on an item.',
  http: { method: 'POST', path: '/items/:item/heartbeat', success: 200 },
  ability: 'work:heartbeat',
  idempotency: 'none',
  input: Type.Object({ item: itemId, lease_token: leaseToken }),
  output: Type.Object({ lease_expires_at: Type.String({ format: 'date-time' }) }),
  async handler(context, input) {
    const answer = await context.services.hotPath.heartbeat({ ...askerOf(context), itemId: input.item, token: input.lease_token ?? null })
    if (answer.kind === 'absent') throw new WorkError('not_found')
    if (answer.kind === 'refused') throw leaseRefusal(answer.facts, claimOf(context, input.lease_token))
    context.services.signal.wake(topics.facts)
    return { status: 200, json: `{"lease_expires_at":"${answer.expiresAt}"}` }
  },
})
