import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { decodeCursor, sealOf, positionPattern } from '../../kernel/operations/cursor.ts'
import { cursor, limit } from '../../kernel/operations/inputs.ts'
import type { McpTool } from '../../kernel/operations/operation.ts'
import { listItemTimeline } from '../../kernel/store/events.ts'
import { eventPage, eventsOutput } from '../../ledger/event-page.ts'
import { itemId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { findItemBrief } from './store.ts'
import { eventShown } from '../shown.ts'

/** One tool for the log of an item and that of an order. */
export const logsTool: McpTool = {
  name: 'work_logs',
  title: 'Read the record',
  summary: 'Read the events of an item or of an order, newest first.',
  advice: 'Give item_id or order_id.',
  defaults: (given) => (given['limit'] === undefined ? { limit: 30 } : {}),
  shows: { events: eventShown, next_cursor: true },
}

export const getItemLogs = defineOperation({
  name: 'get_item_logs',
  summary: 'Read the events of an item and the order-level events of its order, newest first.',
  http: { method: 'GET', path: '/items/:item/logs', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['not_found', 'cursor_invalid', 'cursor_expired', 'record_behind'],
  command: { words: 'items logs' },
  tool: logsTool,
  input: Type.Object({ item: itemId, limit, cursor }),
  output: eventsOutput,
  handler(context, input) {
    const seal = sealOf(context)
    const list = `record of ${input.item}`
    const size = input.limit ?? 100
    const before = input.cursor ? decodeCursor(seal, list, input.cursor, [positionPattern])[0] : undefined
    return context.readRecord(async (q) => {
      const item = await findItemBrief(q, input.item)
      if (!item) throw new WorkError('not_found')
      return eventPage(q, { seal, list, size }, (within) => listItemTimeline(within, item.order_id, item.id, size + 1, before))
    })
  },
})
