import { FieldErrorShape, OrderShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { uuidv7 } from 'uuidv7'
import { illegalMove } from '../../kernel/transitions.ts'
import { topics } from '../topics.ts'
import { appendDecision } from './store.ts'
import { appendEvents, type NewEvent, ofOrder, partOf } from '../../kernel/store/events.ts'
import { lockItemsOfOrder, moveItems } from '../items/store.ts'
import { lockOrder, moveOrder, renderOrder } from '../orders/store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { orderId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { followOrder, traceparentOf } from '../../kernel/operations/traces.ts'
import { orderShown } from '../shown.ts'

export const rejectOrder = defineOperation({
  name: 'reject_order',
  summary: 'Reject an order, or send chosen items back to be done again with what is wrong.',
  http: { method: 'POST', path: '/orders/:order/reject', success: 200 },
  ability: 'work:reject',
  peopleOnly: true,
  idempotency: 'required',
  // validation_failed: an item that is not part of the order.
  refuses: ['not_found', 'illegal_state_transition', 'validation_failed'],
  command: { words: 'orders reject', byHand: true },
  tool: { name: 'work_reject', title: 'Reject or send back', effects: { destructive: true }, shows: { order: orderShown } },
  input: Type.Object({
    order: orderId,
    errors: Type.Array(FieldErrorShape, {
      minItems: 1,
      maxItems: 200,
      description: 'What is wrong; an error with item_id goes to that item only.',
    }),
    allow_rework: Type.Optional(
      Type.Union([Type.Null(), Type.Boolean()], { description: 'Send items back to the queue instead of ending the order.' }),
    ),
    items: Type.Optional(
      Type.Union([Type.Null(), Type.Array(Type.String({ format: 'uuid' }), { minItems: 1, maxItems: 10_000 })], {
        description: 'Which items go back. Default: those that the errors name, or all.',
      }),
    ),
  }),
  output: Type.Object({ order: OrderShape }),
  async handler(context, input) {
    const rework = input.allow_rework === true
    const reply = await context.write(async (tx) => {
      const order = await lockOrder(tx, input.order)
      if (!order) throw new WorkError('not_found')
      followOrder(context, order)
      if (order.state !== 'submitted') throw illegalMove('order', order.state, 'rejected')
      const actor = actorOf(context)
      const items = await lockItemsOfOrder(tx, order.id)
      const at = await tx.clock()
      const named = [...new Set([...(input.items ?? []), ...input.errors.flatMap((error) => (error.item_id ? [error.item_id] : []))])]
      const foreign = named.filter((id) => !items.some((item) => item.id === id && item.state === 'submitted'))
      if (foreign.length > 0)
        throw new WorkError('validation_failed', {
          detail: `${foreign[0]} is not a submitted item of this order.`,
          errors: foreign.map((id) => ({ field: 'items', code: 'unknown_item', message: `${id} is not a submitted item of this order.` })),
        })
      const submitted = items.filter((item) => item.state === 'submitted')
      const back = rework ? submitted.filter((item) => named.length === 0 || named.includes(item.id)) : submitted
      const events: NewEvent[] = [
        {
          kind: 'order.rejected',
          ...ofOrder(order),
          payload: { errors: input.errors, allow_rework: rework, items: back.map((item) => item.id) },
          message: 'Order rejected',
        },
      ]

      const sentBack = back.map((item) => item.id)
      await moveItems(tx, sentBack, 'submitted', 'rejected', at)
      events.push(...sentBack.map((id) => ({ kind: 'item.rejected' as const, ...partOf(order, id) })))
      const reviewed = { itemsSubmitted: order.items_submitted - sentBack.length }
      await moveOrder(tx, order.id, 'submitted', 'rejected', at, rework ? { ...reviewed, revision: order.revision + 1 } : reviewed)
      await appendDecision(
        tx,
        {
          id: uuidv7(),
          orderId: order.id,
          revision: order.revision,
          decision: 'rejected',
          digest: null,
          actorType: 'user',
          actorId: actor.actorId,
          principal: actor.principal,
          errors: input.errors,
          reworkItemIds: rework ? sentBack : undefined,
          traceparent: traceparentOf(context),
        },
        at,
      )

      if (rework) {
        // A new revision is a new budget of attempts; the lease generations go on counting, so no older token comes back to life.
        for (const id of sentBack) {
          const errors = input.errors.filter((error) => !error.item_id || error.item_id === id)
          await moveItems(tx, [id], 'rejected', 'queued', at, {
            rework: { revision: order.revision + 1, errors },
            attempts: 0,
            droppedBy: null,
          })
          events.push({ kind: 'item.requeued', ...partOf(order, id), payload: { rework: errors } })
        }
        await moveOrder(tx, order.id, 'rejected', 'queued', at)
        events.push({
          kind: 'order.requeued',
          ...ofOrder(order),
          payload: { revision: order.revision + 1, items: sentBack },
          message: 'Sent back for rework',
        })
      }
      await appendEvents(tx, actor, at, events)
      return { status: 200, json: `{"order":${await renderOrder(tx, order.id)}}` }
    })
    context.tools.signal.wake(topics.ready(context.principal.tenantId))
    return reply
  },
})
