/**
 * Taking the most urgent ready item. Waiting and refusals: checking-out.ts; the move itself (queued → leased, with limits and pauses) is
 * `wm.lease_items` in migrations/routines/20_leases.sql, reached by hot-path/checkout-batch.ts.
 */
import Type from 'typebox'
import { defineOperation } from '../tools.ts'
import { checkout, checkoutTool, leasedItem, wait } from './checking-out.ts'
import { takeBackUnheard } from './take-back-unheard.ts'

export const checkoutItem = defineOperation({
  name: 'checkout_item',
  summary: 'Take the most urgent ready item of any order under a lease.',
  http: { method: 'POST', path: '/checkout', success: 200 },
  ability: 'work:checkout',
  rate: 'by_type',
  idempotency: 'none',
  waits: true,
  refuses: ['no_items_available', 'lease_limit_reached', 'paused', 'order_type_not_found'],
  command: { words: 'items checkout', byHand: true },
  tool: checkoutTool,
  input: Type.Object({
    type: Type.Optional(
      Type.Union([Type.Null(), Type.String({ minLength: 1, maxLength: 120 })], { description: 'Only items of orders of this type.' }),
    ),
    min_priority: Type.Optional(
      Type.Union([Type.Null(), Type.Integer({ minimum: -32768, maximum: 32767 })], {
        description: 'Only orders of at least this priority.',
      }),
    ),
    wait,
  }),
  output: leasedItem,
  ifUnheard: takeBackUnheard,
  handler: (context, input) =>
    checkout(
      context,
      { orderId: null, type: input.type ?? null, minPriority: input.min_priority ?? null },
      input.wait ?? 0,
      'No work items available matching filters',
    ),
})
