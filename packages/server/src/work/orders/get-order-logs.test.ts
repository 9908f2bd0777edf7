import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { getOrderLogs } from './get-order-logs.ts'

describeVerb(getOrderLogs, {
  succeeds: ({ body }) => {
    expect(body.events[0].kind).toBe('order.submitted')
    expect(body.events.at(-1).kind).toBe('order.proposed')
  },
})
