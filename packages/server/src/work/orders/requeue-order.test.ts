import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { propose } from '../../../testing/work-calls.ts'
import { requeueOrder } from './requeue-order.ts'

describeVerb(requeueOrder, {
  succeeds: ({ body }) => {
    expect(body.order.state).toBe('queued')
  },
  refuses: {
    illegal_state_transition: async (side, input) => ({ ...input, order: await propose(side) }),
  },
})
