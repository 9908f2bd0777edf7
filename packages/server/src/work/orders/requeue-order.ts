import { OrderShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { topics } from '../topics.ts'
import { lockItemsOfOrder } from '../items/store.ts'
import { lockOrder, renderOrder } from './store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { reason } from '../../kernel/operations/inputs.ts'
import { orderId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { followOrder } from '../../kernel/operations/traces.ts'
import { isRevivable, requeue } from './requeueing.ts'

export const requeueOrder = defineOperation({
  name: 'requeue_order',
  summary: 'Bring a failed, rejected or dead-lettered order back to the queue, with a reason.',
  http: { method: 'POST', path: '/orders/:order/requeue', success: 200 },
  ability: 'work:requeue',
  peopleOnly: true,
  idempotency: 'accepted',
  refuses: ['not_found', 'illegal_state_transition'],
  command: { words: 'orders requeue', byHand: true },
  tool: 'a person’s decision, over HTTP and the command line',
  input: Type.Object({ order: orderId, reason }),
  output: Type.Object({ order: OrderShape }),
  async handler(context, input) {
    const reply = await context.write(async (tx) => {
      const order = await lockOrder(tx, input.order)
      if (!order) throw new WorkError('not_found')
      followOrder(context, order)
      const items = (await lockItemsOfOrder(tx, order.id)).filter(isRevivable)
      await requeue(tx, order, items, await tx.clock(), actorOf(context), input.reason)
      return { status: 200, json: `{"order":${await renderOrder(tx, order.id)}}` }
    })
    context.tools.signal.wake(topics.ready(context.principal.tenantId))
    return reply
  },
})
