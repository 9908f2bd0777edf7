import { OrderShape } from '@work-manager/contract'
import Type from 'typebox'
import { pausedRefusal } from '../pauses/decide.ts'
import { newOrderId, writeProposal } from './proposing.ts'
import { assertRoomForOrder } from './open-orders.ts'
import { renderOrder } from './store.ts'
import { shareAgentPause } from '../pauses/store.ts'
import { topics } from '../topics.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { document } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { traceparentOf } from '../../kernel/operations/traces.ts'
import { assertPayload, getType, planOrder } from './planning.ts'
import { orderShown } from '../shown.ts'

export const proposeOrder = defineOperation({
  name: 'propose_order',
  summary: 'Propose a typed order; it is planned into items at once.',
  http: { method: 'POST', path: '/propose', success: 201 },
  ability: 'work:propose',
  rate: 'by_type',
  idempotency: 'required',
  refuses: ['order_type_not_found', 'payload_invalid', 'empty_plan', 'plan_failed', 'paused', 'too_many_open_orders'],
  command: { words: 'orders propose', arguments: ['type'], example: `example.echo --payload '{"messages":["hello"]}' --priority 10` },
  tool: { name: 'work_propose', title: 'Propose an order', shows: { order: orderShown, items_count: true }, unlisted: ['defer_planning'] },
  input: Type.Object({
    type: Type.String({ minLength: 1, maxLength: 120, description: 'A registered order type (GET /types).' }),
    payload: document('What is wanted, in the shape that the type asks for.'),
    meta: Type.Optional(
      Type.Union([Type.Null(), Type.Object({}, { additionalProperties: true })], { description: 'Your own labels; filterable.' }),
    ),
    priority: Type.Optional(
      Type.Union([Type.Null(), Type.Integer({ minimum: -32768, maximum: 32767 })], { description: 'Higher is claimed first (default 0).' }),
    ),
    defer_planning: Type.Optional(Type.Boolean({ description: 'Only record the order; plan it later with POST /orders/{order}/plan.' })),
  }),
  output: Type.Object({ order: OrderShape, items_count: Type.Integer() }),
  async handler(context, input) {
    const { tools, principal } = context
    const type = getType(tools, input.type)
    await assertPayload(type, input.payload)
    const meta = (input.meta ?? null) as Record<string, unknown> | null
    const items = input.defer_planning ? [] : await planOrder(tools, type, { payload: input.payload, meta })
    const id = newOrderId()
    context.trace?.describe({ orderId: id, orderType: type.type })
    const proposal = {
      id,
      type,
      payload: input.payload,
      meta,
      priority: input.priority ?? 0,
      items,
      traceparent: traceparentOf(context),
    }
    const reply = await context.write(async (tx) => {
      const pause = await shareAgentPause(tx, context.provenance.agentId, principal.name)
      if (pause) throw pausedRefusal(pause)
      await assertRoomForOrder(tx, context)
      await writeProposal(tx, tools, actorOf(context), proposal)
      return { status: 201, json: `{"order":${await renderOrder(tx, id)},"items_count":${items.length}}` }
    })
    tools.signal.wake(topics.ready(principal.tenantId))
    return reply
  },
})
