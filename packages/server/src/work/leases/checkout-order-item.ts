/** As checkout-item.ts, among the items of one order. */
import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { orderId } from '../inputs.ts'
import { findOrder } from '../orders/store.ts'
import { defineOperation } from '../tools.ts'
import { checkout, checkoutTool, leasedItem, wait } from './checking-out.ts'
import { takeBackUnheard } from './take-back-unheard.ts'

export const checkoutOrderItem = defineOperation({
  name: 'checkout_order_item',
  summary: 'Take the next ready item of one order under a lease.',
  http: { method: 'POST', path: '/orders/:order/checkout', success: 200 },
  ability: 'work:checkout',
  rate: 'by_type',
  idempotency: 'none',
  waits: true,
  refuses: ['not_found', 'no_items_available', 'lease_limit_reached', 'paused'],
  command: { words: 'items checkout', byHand: true },
  tool: checkoutTool,
  input: Type.Object({ order: orderId, wait }),
  output: leasedItem,
  ifUnheard: takeBackUnheard,
  async handler(context, input) {
    try {
      return await checkout(
        context,
        { orderId: input.order, type: null, minPriority: null },
        input.wait ?? 0,
        'No work items available for checkout',
      )
    } catch (error) {
      // Looked up only when nothing was leased: the common case needs no second query.
      if (error instanceof WorkError && error.code === 'no_items_available' && !(await context.read((q) => findOrder(q, input.order))))
        throw new WorkError('not_found')
      throw error
    }
  },
})
