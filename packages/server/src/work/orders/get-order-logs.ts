import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { decodeCursor, sealOf, positionPattern } from '../../kernel/operations/cursor.ts'
import { cursor, limit } from '../../kernel/operations/inputs.ts'
import { listEvents } from '../../kernel/store/events.ts'
import { eventPage, eventsOutput } from '../../ledger/event-page.ts'
import { orderId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { logsTool } from '../items/get-item-logs.ts'
import { findOrder } from './store.ts'

export const getOrderLogs = defineOperation({
  name: 'get_order_logs',
  summary: 'Read every event of an order and its items, newest first.',
  http: { method: 'GET', path: '/orders/:order/logs', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['not_found', 'cursor_invalid', 'cursor_expired', 'record_behind'],
  command: { words: 'orders logs' },
  tool: logsTool,
  input: Type.Object({ order: orderId, limit, cursor }),
  output: eventsOutput,
  handler(context, input) {
    const seal = sealOf(context)
    const list = `record of ${input.order}`
    const size = input.limit ?? 100
    const before = input.cursor ? decodeCursor(seal, list, input.cursor, [positionPattern])[0] : undefined
    return context.readRecord(async (q) => {
      if (!(await findOrder(q, input.order))) throw new WorkError('not_found')
      return eventPage(q, { seal, list, size }, (within) => listEvents(within, { rootId: input.order }, size + 1, before))
    })
  },
})
