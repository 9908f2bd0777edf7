/** As checkout-item.ts, among the items of one order. */
import { orderIs, type OrderState, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { orderId } from '../inputs.ts'
import { findOrder } from '../orders/store.ts'
import { defineOperation } from '../tools.ts'
import { checkout, checkoutTool, leasedItem, wait } from './checking-out.ts'
import { takeBackUnheard } from './take-back-unheard.ts'

/** Nothing to wait for: no item of it becomes ready again by itself. */
const notOpen = (state: OrderState): WorkError =>
  new WorkError('order_not_open', {
    detail: `The order is ${state}; no item of it will become ready.`,
    extra: { current_state: state },
  })

export const checkoutOrderItem = defineOperation({
  name: 'checkout_order_item',
  summary: 'Take the next ready item of one order under a lease.',
  http: { method: 'POST', path: '/orders/:order/checkout', success: 200 },
  ability: 'work:checkout',
  rate: 'by_type',
  idempotency: 'none',
  waits: true,
  refuses: ['not_found', 'no_items_available', 'order_not_open', 'lease_limit_reached', 'paused'],
  command: { words: 'items checkout', byHand: true },
  tool: checkoutTool,
  input: Type.Object({ order: orderId, wait }),
  output: leasedItem,
  ifUnheard: takeBackUnheard,
  async handler(context, input) {
    // Looked up only when nothing was leased: the common case needs no second query.
    const assertOpen = async () => {
      const order = await context.read((q) => findOrder(q, input.order))
      if (!order) throw new WorkError('not_found')
      if (!orderIs.open(order.state)) throw notOpen(order.state)
    }
    const wanted = { orderId: input.order, type: null, minPriority: null }
    return checkout(context, wanted, input.wait ?? 0, 'No work items available for checkout', assertOpen)
  },
})
