import { OrderShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { appendEvents, ofOrder } from '../../kernel/store/events.ts'
import { insertItems } from '../items/store.ts'
import { dueEarly } from './proposing.ts'
import { findOrder, lockOrder, renderOrder, setItemsTotal } from './store.ts'
import { topics } from '../topics.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { orderId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { followOrder } from '../../kernel/operations/traces.ts'
import { getType, planOrder as planItemsOf } from './planning.ts'

export const planOrder = defineOperation({
  name: 'plan_order',
  summary: 'Plan an order that was proposed with defer_planning.',
  http: { method: 'POST', path: '/orders/:order/plan', success: 200 },
  ability: 'work:propose',
  idempotency: 'accepted',
  refuses: ['not_found', 'already_planned', 'illegal_state_transition', 'empty_plan', 'plan_failed'],
  command: { words: 'orders plan' },
  tool: 'work_propose plans at once; planning later is for programs',
  input: Type.Object({ order: orderId }),
  output: Type.Object({ order: OrderShape, items_count: Type.Integer() }),
  async handler(context, input) {
    const { tools, principal } = context
    const seen = await context.read((q) => findOrder(q, input.order))
    if (!seen) throw new WorkError('not_found')
    followOrder(context, seen)
    if (seen.items_total > 0) throw new WorkError('already_planned')
    const type = getType(tools, seen.type)
    const items = await planItemsOf(tools, type, { payload: seen.payload, meta: seen.meta })
    const reply = await context.write(async (tx) => {
      const order = await lockOrder(tx, input.order)
      if (!order) throw new WorkError('not_found')
      if (order.items_total > 0) throw new WorkError('already_planned')
      if (order.state !== 'queued')
        throw new WorkError('illegal_state_transition', {
          detail: `A ${order.state} order cannot be planned.`,
          extra: { current_state: order.state },
        })
      const at = await tx.clock()
      await setItemsTotal(tx, order.id, items.length, at)
      const { id, type: name, priority, traceparent, correlation_id, session_key } = order
      const due_early = dueEarly(tools, priority)
      await insertItems(tx, { id, type: name, priority, due_early, traceparent, correlation_id, session_key, items }, at)
      await appendEvents(tx, actorOf(context), at, [{ kind: 'order.planned', ...ofOrder(order), payload: { item_count: items.length } }])
      return { status: 200, json: `{"order":${await renderOrder(tx, order.id)},"items_count":${items.length}}` }
    })
    tools.signal.wake(topics.ready(principal.tenantId))
    return reply
  },
})
