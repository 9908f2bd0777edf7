import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { revokeLeases } from './revoke-leases.ts'

describeVerb(revokeLeases, {
  succeeds: async ({ body }, { person }, input) => {
    expect(body.leases.map((lease: { order_id: string }) => lease.order_id)).toEqual([input.order])
    const { order } = (await person.get(`/orders/${String(input.order)}`)).body
    expect(order.items[0].leased_by_agent_id).toBeNull()
  },
  refuses: {
    validation_failed: () => ({ reason: 'Nothing selects.' }),
  },
})
