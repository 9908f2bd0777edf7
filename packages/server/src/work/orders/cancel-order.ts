import { itemMachine, OrderShape, sourcesOf, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { assertMove } from '../../kernel/transitions.ts'
import { appendEvents, type NewEvent, ofOrder, partOf } from '../../kernel/store/events.ts'
import { lockItemsOfOrder, moveItems } from '../items/store.ts'
import { lockOrder, moveOrder, renderOrder } from './store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { reason } from '../../kernel/operations/inputs.ts'
import { orderId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { followOrder } from '../../kernel/operations/traces.ts'

const cancellable = sourcesOf(itemMachine, 'cancelled')

export const cancelOrder = defineOperation({
  name: 'cancel_order',
  summary: 'Withdraw an order before it is applied; every lease on its items ends at once.',
  http: { method: 'POST', path: '/orders/:order/cancel', success: 200 },
  ability: 'work:cancel',
  idempotency: 'accepted',
  // illegal_state_transition: never once it was applied, nor when it is set aside.
  refuses: ['not_found', 'illegal_state_transition'],
  command: { words: 'orders cancel', example: '01890a5d-ac96-774b-bcce-b302099a8057 --reason "The customer changed their mind"' },
  tool: 'a person’s or program’s decision, over HTTP and the command line',
  input: Type.Object({ order: orderId, reason }),
  output: Type.Object({ order: OrderShape }),
  handler: (context, input) =>
    context.write(async (tx) => {
      const order = await lockOrder(tx, input.order)
      if (!order) throw new WorkError('not_found')
      followOrder(context, order)
      assertMove('order', order.state, 'cancelled')
      const items = await lockItemsOfOrder(tx, order.id)
      const at = await tx.clock()
      const events: NewEvent[] = []
      for (const state of cancellable) {
        const ending = items.filter((item) => item.state === state)
        await moveItems(
          tx,
          ending.map((item) => item.id),
          state,
          'cancelled',
          at,
        )
        for (const item of ending) {
          const lease = item.lease_expires_at ? { generation: Number(item.generation), lease_expires_at: item.lease_expires_at } : undefined
          events.push({ kind: 'item.cancelled', ...partOf(order, item.id), payload: lease })
        }
      }
      await moveOrder(tx, order.id, order.state, 'cancelled', at, { approvalId: null })
      events.push({
        kind: 'order.cancelled',
        ...ofOrder(order),
        payload: { reason: input.reason },
        message: input.reason.slice(0, 500),
      })
      await appendEvents(tx, actorOf(context), at, events)
      return { status: 200, json: `{"order":${await renderOrder(tx, order.id)}}` }
    }),
})
