import { ItemShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { illegalMove } from '../../kernel/transitions.ts'
import { topics } from '../topics.ts'
import { lockItem, renderItem } from './store.ts'
import { lockOrder } from '../orders/store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { reason } from '../../kernel/operations/inputs.ts'
import { itemId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { isRevivable, requeue } from '../orders/requeueing.ts'
import { getItemBrief } from './item-brief.ts'

export const requeueItem = defineOperation({
  name: 'requeue_item',
  summary: 'Bring one failed, rejected or dead-lettered item back to the queue, with a reason; its order comes back with it.',
  http: { method: 'POST', path: '/items/:item/requeue', success: 200 },
  ability: 'work:requeue',
  peopleOnly: true,
  idempotency: 'accepted',
  refuses: ['not_found', 'illegal_state_transition'],
  command: { words: 'items requeue', example: '01890a5d-ac96-774b-bcce-b302099a8057 --reason "The site is up again"' },
  tool: 'a person’s decision, over HTTP and the command line',
  input: Type.Object({ item: itemId, reason }),
  output: Type.Object({ item: ItemShape }),
  async handler(context, input) {
    const { order_id } = await getItemBrief(context, input.item)
    const reply = await context.write(async (tx) => {
      const order = await lockOrder(tx, order_id)
      const item = await lockItem(tx, input.item)
      if (!order || !item) throw new WorkError('not_found')
      if (!isRevivable(item)) throw illegalMove('item', item.state, 'queued')
      await requeue(tx, order, [item], await tx.clock(), actorOf(context), input.reason)
      return { status: 200, json: `{"item":${await renderItem(tx, item.id)}}` }
    })
    context.tools.signal.wake(topics.ready(context.principal.tenantId))
    return reply
  },
})
