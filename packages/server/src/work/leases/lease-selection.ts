/** Which leases a person means, the same way for revoke, extend and reclaim. */
import { WorkError } from '@work-manager/contract'
import Type, { type Static } from 'typebox'
import type { LeaseFilter, LeaseRow } from './store.ts'
import { reason } from '../../kernel/operations/inputs.ts'

/** As many leases move in one call; `more` says that others matched too. */
export const mostLeases = 500

export const selection = {
  agent: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Only leases that this agent id holds.' })),
  order: Type.Optional(Type.String({ format: 'uuid', description: 'Only leases on items of this order.' })),
  type: Type.Optional(Type.String({ minLength: 1, maxLength: 120, description: 'Only leases on items of orders of this type.' })),
  silent_for_seconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 31_536_000,
      description: 'Only leases whose holder gave no sign of life (checkout or heartbeat) for this long.',
    }),
  ),
  all: Type.Optional(Type.Boolean({ description: 'Every lease of the tenant; needed when nothing else selects.' })),
  dry_run: Type.Optional(Type.Boolean({ description: 'Only say which leases it would be.' })),
  reason,
}
const selectionShape = Type.Object(selection)

export const leaseOutput = Type.Object({
  leases: Type.Array(
    Type.Object(
      {
        item_id: Type.String({ format: 'uuid' }),
        order_id: Type.String({ format: 'uuid' }),
        order_type: Type.String(),
        agent_id: Type.Union([Type.Null(), Type.String()]),
        lease_expires_at: Type.String({ format: 'date-time', description: 'As it was; after extend: as it is now.' }),
      },
      { title: 'LeaseOfItem' },
    ),
  ),
  more: Type.Boolean({ description: 'Others matched too: call again.' }),
  dry_run: Type.Boolean(),
})

/** The filter that was asked for. Refuses with: validation_failed when nothing selects and `all` is not said. */
export function filterOf(input: Static<typeof selectionShape>): LeaseFilter {
  const { agent, order, type, silent_for_seconds: silentForSeconds } = input
  if (input.all !== true && [agent, order, type, silentForSeconds].every((one) => one === undefined)) {
    const message = 'Say which leases: agent, order, type or silent_for_seconds; or all: true.'
    throw new WorkError('validation_failed', { detail: message, errors: [{ field: 'all', code: 'selector_missing', message }] })
  }
  return { agentId: agent, orderId: order?.toLowerCase(), orderType: type, silentForSeconds }
}

export const shown = (lease: LeaseRow, until = lease.lease_expires_at): Static<typeof leaseOutput>['leases'][number] => ({
  item_id: lease.id,
  order_id: lease.order_id,
  order_type: lease.order_type,
  agent_id: lease.leased_by_agent_id,
  lease_expires_at: until,
})
