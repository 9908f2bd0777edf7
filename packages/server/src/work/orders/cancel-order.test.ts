import { expect } from 'vitest'
import { done } from '../../../testing/cases.ts'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { cancelOrder } from './cancel-order.ts'

describeVerb(cancelOrder, {
  succeeds: ({ body }) => {
    expect(body.order.state).toBe('cancelled')
  },
  refuses: {
    illegal_state_transition: async (side, input) => {
      done(await side.service.post(`/orders/${String(input.order)}/cancel`, { reason: 'First.' }))
      return input
    },
  },
})
