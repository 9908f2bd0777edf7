import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { propose } from '../../../testing/work-calls.ts'
import { planOrder } from './plan-order.ts'

describeVerb(planOrder, {
  succeeds: ({ body }) => {
    expect(body.order).toMatchObject({ state: 'queued', items_total: 1 })
  },
  refuses: {
    already_planned: async (side) => ({ order: await propose(side) }),
  },
})
