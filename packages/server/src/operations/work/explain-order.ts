import { orderStates, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { explainWaiting, movers } from '../../domain/waiting.ts'
import { findOrder } from '../../store/orders.ts'
import { findWaitingFacts } from '../../store/waiting.ts'
import { orderId } from '../inputs.ts'
import { defineOperation } from '../operation.ts'

/** Refuses with: not_found. */
export const explainOrder = defineOperation({
  name: 'explain_order',
  summary: 'Say in one sentence what an order waits for, and whose move it is.',
  http: { method: 'GET', path: '/orders/:order/why', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  input: Type.Object({ order: orderId }),
  output: Type.Object({
    order_id: Type.String({ format: 'uuid' }),
    type: Type.String(),
    state: Type.Enum(orderStates),
    waits_for: Type.Enum(movers, { description: 'Whose move it is.' }),
    sentence: Type.String({ description: 'What it waits for.' }),
    next: Type.String({ description: 'What the one it waits for does.' }),
    review_url: Type.Union([Type.Null(), Type.String()], { description: 'Where a person finds what there is to decide; null while there is nothing.' }),
  }),
  handler: (context, input) =>
    context.read(async (q) => {
      const order = await findOrder(q, input.order)
      const facts = order && (await findWaitingFacts(q, order.id))
      if (!order || !facts) throw new WorkError('not_found')
      const { services } = context
      const automatic = services.types.get(order.type)?.autoApprove ?? false
      const waiting = explainWaiting({
        state: order.state,
        itemsTotal: order.items_total,
        ready: facts.ready,
        leased: facts.leased,
        submitted: facts.submitted,
        retrying: facts.retrying,
        stuck: facts.stuck,
        holders: facts.holders ?? [],
        leaseEndsAt: facts.lease_ends_at,
        retryAt: facts.retry_at,
        applyError: facts.last_apply_error?.message ?? null,
        applyAttempts: facts.apply_attempts,
        autoApprovalAhead: automatic && !facts.auto_approval_tried,
        autoApprovalFailed: automatic && facts.auto_approval_tried,
      })
      const review_url = order.state === 'submitted' && waiting.waits_for === 'person' ? `${services.settings.baseUrl}/orders/${order.id}` : null
      return { status: 200, body: { order_id: order.id, type: order.type, state: order.state, ...waiting, review_url } }
    }),
})
