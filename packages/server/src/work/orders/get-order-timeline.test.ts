import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { getOrderTimeline } from './get-order-timeline.ts'

describeVerb(getOrderTimeline, {
  succeeds: ({ body }) => {
    expect(body.events[0].kind).toBe('order.proposed')
    expect(body.events.at(-1).kind).toBe('order.submitted')
    expect(body.last_seq).toBe(body.events.at(-1).seq)
  },
})
