import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { lease } from '../../../testing/work-calls.ts'
import { checkoutOrderItem } from './checkout-order-item.ts'

describeVerb(checkoutOrderItem, {
  succeeds: ({ body }, _side, input) => {
    expect(body.item).toMatchObject({ order_id: input.order, state: 'leased', attempt: 1 })
  },
  refuses: {
    no_items_available: async (side) => ({ order: (await lease(side)).order }),
  },
})
