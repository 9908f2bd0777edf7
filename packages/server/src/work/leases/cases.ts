import { defineCases } from '../../../testing/cases.ts'
import { heldItem, lease, orderOf, propose, proposeShown, takeShown } from '../../../testing/work-calls.ts'

export const cases = defineCases({
  checkout_item: {
    by: 'agent',
    async sample(side) {
      await proposeShown(side)
      return { type: 'example.echo', wait: 20 }
    },
  },
  checkout_order_item: {
    by: 'agent',
    call: async (side) => ({ order: await propose(side) }),
    sample: async (side) => ({ order: await proposeShown(side) }),
  },
  heartbeat_item: { by: 'agent', call: (side) => heldItem(lease(side)) },
  extend_leases: {
    call: async (side) => ({ ...(await orderOf(lease(side))), reason: side.mark, ttl_seconds: 3600 }),
    sample: async (side) => ({ ...(await orderOf(takeShown(side))), ttl_seconds: 900, reason: 'The agent asked for more time.' }),
  },
  revoke_leases: {
    call: async (side) => ({ ...(await orderOf(lease(side))), reason: side.mark }),
    async sample(side) {
      await takeShown(side)
      return { agent: 'agent-1', reason: 'The agent is being replaced.' }
    },
  },
  reclaim_leases: {
    call: async (side) => ({ ...(await orderOf(lease(side))), reason: side.mark }),
    sample: async () => ({}),
  },
})
