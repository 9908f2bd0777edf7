import { type Instant, secondsAfter } from '../../kernel/store/tx.ts'
import { OrderShape } from '@work-manager/contract'
import Type from 'typebox'
import { pausedRefusal } from '../pauses/decide.ts'
import { newOrderId, newOrderOf, payloadShapeOf, type Proposal, writeProposal } from './proposing.ts'
import { assertRoomForOrder, takeKnownRoom } from './open-orders.ts'
import { renderOrder } from './store.ts'
import { shareAgentPause } from '../pauses/store.ts'
import { topics } from '../topics.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { document } from '../inputs.ts'
import type { Reply } from '../../kernel/operations/operation.ts'
import type { Actor } from '../../kernel/store/events.ts'
import { defineOperation, type WorkContext } from '../tools.ts'
import { traceparentOf } from '../../kernel/operations/traces.ts'
import { assertPayload, getType, planOrder } from './planning.ts'
import { orderShown } from '../shown.ts'
import { simulated, simulationOutput } from './simulating.ts'

/** Larger ones go by themselves: a statement with many of them would take too long. */
const mostBytesTogether = 65_536

/** With the other proposals of the tenant that come in now, the clean cases only; null: nothing happened, and the ordinary way says why. */
async function proposeTogether(context: WorkContext, actor: Actor, proposal: Proposal & { readonly id: string }): Promise<Reply | null> {
  const { tools, principal, provenance } = context
  const order = newOrderOf(tools, actor, proposal)
  if ((context.bodyBytes ?? Infinity) > mostBytesTogether || order.items_total > 100 || !takeKnownRoom(context)) return null
  let json: string | null = null
  const isDone = await context.writeAtOnce(async (key) => {
    const { tenantId } = principal
    json = await tools.proposals({ tenantId, agentId: provenance.agentId, order, shape: payloadShapeOf(proposal.type), key })
    return json !== null
  })
  if (!isDone) return null
  tools.signal.wake(topics.ready(principal.tenantId))
  // Kept in the moment in which the order was made.
  const { order: made } = JSON.parse(json!) as { order: { created_at: Instant } }
  return { status: 201, json: json!, isKept: true, keptUntil: secondsAfter(made.created_at, tools.settings.idempotencyTtlSeconds) }
}

export const proposalInput = {
  type: Type.String({ minLength: 1, maxLength: 120, description: 'A registered order type (GET /types).' }),
  payload: document('What is wanted, in the shape that the type asks for.'),
  meta: Type.Optional(
    Type.Union([Type.Null(), Type.Object({}, { additionalProperties: true })], { description: 'Your own labels; filterable.' }),
  ),
  priority: Type.Optional(
    Type.Union([Type.Null(), Type.Integer({ minimum: -32768, maximum: 32767 })], { description: 'Higher is claimed first (default 0).' }),
  ),
  defer_planning: Type.Optional(Type.Boolean({ description: 'Only record the order; plan it later with POST /orders/{order}/plan.' })),
}

/**
 * The order as it would be written: its payload checked and planned by the code of its type.
 * Refuses with: order_type_not_found, payload_invalid, empty_plan, plan_failed.
 */
export async function preparedProposal(
  context: WorkContext,
  input: { type: string; payload: unknown; meta?: object | null; priority?: number | null; defer_planning?: boolean },
): Promise<Proposal & { readonly id: string }> {
  const { tools } = context
  const type = getType(tools, input.type)
  await context.breathe()
  await assertPayload(type, input.payload)
  await context.breathe()
  const meta = (input.meta ?? null) as Record<string, unknown> | null
  const items = input.defer_planning ? [] : await planOrder(tools, type, { payload: input.payload, meta })
  const id = newOrderId()
  return { id, type, payload: input.payload, meta, priority: input.priority ?? 0, items, traceparent: traceparentOf(context) }
}

export const proposeOrder = defineOperation({
  name: 'propose_order',
  summary: 'Propose a typed order; it is planned into items at once.',
  http: { method: 'POST', path: '/propose', success: 201 },
  ability: 'work:propose',
  rate: 'by_type',
  idempotency: 'required',
  writesNothing: ({ simulate }) => simulate === true,
  refuses: ['order_type_not_found', 'payload_invalid', 'empty_plan', 'plan_failed', 'paused', 'too_many_open_orders'],
  command: { words: 'orders propose', arguments: ['type'], example: `example.echo --payload '{"messages":["hello"]}' --priority 10` },
  tool: {
    name: 'work_propose',
    title: 'Propose an order',
    shows: { order: orderShown, items_count: true },
    unlisted: ['defer_planning', 'simulate'],
  },
  input: Type.Object({
    ...proposalInput,
    simulate: Type.Optional(Type.Boolean({ description: 'Say what would happen, and write nothing (as POST /simulate).' })),
  }),
  output: Type.Object({ order: OrderShape, items_count: Type.Integer(), ...simulationOutput }),
  async handler(context, input) {
    const { tools, principal } = context
    const proposal = await preparedProposal(context, input)
    if (input.simulate) return simulated(context, proposal)
    const { id, items } = proposal
    context.trace?.describe({ orderId: id, orderType: proposal.type.type })
    const actor = actorOf(context)
    const quick = await proposeTogether(context, actor, proposal)
    if (quick) return quick
    const reply = await context.write(async (tx) => {
      const pause = await shareAgentPause(tx, context.provenance.agentId, principal.name)
      if (pause) throw pausedRefusal(pause)
      await assertRoomForOrder(tx, context)
      await writeProposal(tx, tools, actor, proposal)
      return { status: 201, json: `{"order":${await renderOrder(tx, id)},"items_count":${items.length}}` }
    })
    tools.signal.wake(topics.ready(principal.tenantId))
    return reply
  },
})
