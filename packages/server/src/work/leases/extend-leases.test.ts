import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { extendLeases } from './extend-leases.ts'

describeVerb(extendLeases, {
  succeeds: ({ body }, _side, input) => {
    expect(body.leases.map((lease: { order_id: string }) => lease.order_id)).toEqual([input.order])
  },
  refuses: {
    validation_failed: () => ({ reason: 'Nothing selects.', ttl_seconds: 60 }),
  },
})
