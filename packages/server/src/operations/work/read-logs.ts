/** The three views of the record of one order or item: item log, order log (newest first), and the timeline (oldest first, resumable). */
import { EventShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { listEvents, listItemTimeline, listOrderTimeline } from '../../store/events.ts'
import { findItemBrief } from '../../store/items.ts'
import { findOrder } from '../../store/orders.ts'
import { decodeCursor, encodeCursor, positionPattern } from '../cursor.ts'
import { cursor, itemId, limit, orderId } from '../inputs.ts'
import { defineOperation } from '../operation.ts'

type Page = ReadonlyArray<{ position: string; json: string }>

/** `{events, next_cursor}` from one row more than a page holds. */
export function eventPage(tenantId: string, list: string, rows: Page, size: number): { status: number; json: string } {
  const shown = rows.slice(0, size)
  const next = rows.length > size ? encodeCursor(tenantId, list, [shown.at(-1)!.position]) : null
  return { status: 200, json: `{"events":[${shown.map((row) => row.json).join(',')}],"next_cursor":${JSON.stringify(next)}}` }
}
export const eventsOutput = Type.Object({ events: Type.Array(EventShape), next_cursor: Type.Union([Type.Null(), Type.String()]) })

/** Refuses with: not_found, cursor_invalid. */
export const getItemLogs = defineOperation({
  name: 'get_item_logs',
  summary: 'Read the events of an item and the order-level events of its order, newest first.',
  http: { method: 'GET', path: '/items/:item/logs', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  input: Type.Object({ item: itemId, limit, cursor }),
  output: eventsOutput,
  handler(context, input) {
    const { tenantId } = context.principal
    const list = `log of ${input.item}`
    const size = input.limit ?? 100
    const before = input.cursor ? decodeCursor(tenantId, list, input.cursor, [positionPattern])[0] : undefined
    return context.read(async (q) => {
      const item = await findItemBrief(q, input.item)
      if (!item) throw new WorkError('not_found')
      return eventPage(tenantId, list, await listItemTimeline(q, item.order_id, item.id, size + 1, before), size)
    })
  },
})

/** Refuses with: not_found, cursor_invalid. */
export const getOrderLogs = defineOperation({
  name: 'get_order_logs',
  summary: 'Read every event of an order and its items, newest first.',
  http: { method: 'GET', path: '/orders/:order/logs', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  input: Type.Object({ order: orderId, limit, cursor }),
  output: eventsOutput,
  handler(context, input) {
    const { tenantId } = context.principal
    const list = `log of ${input.order}`
    const size = input.limit ?? 100
    const before = input.cursor ? decodeCursor(tenantId, list, input.cursor, [positionPattern])[0] : undefined
    return context.read(async (q) => {
      if (!(await findOrder(q, input.order))) throw new WorkError('not_found')
      return eventPage(tenantId, list, await listEvents(q, { orderId: input.order }, size + 1, before), size)
    })
  },
})

/** Refuses with: not_found, cursor_invalid. */
export const getOrderTimeline = defineOperation({
  name: 'get_order_timeline',
  summary: 'Read the life of an order in the order it happened; `after` resumes behind a ledger number.',
  http: { method: 'GET', path: '/orders/:order/timeline', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  input: Type.Object({
    order: orderId,
    limit,
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Only events with a greater seq. Events get their seq within milliseconds of their commit.',
      }),
    ),
  }),
  output: Type.Object({ events: Type.Array(EventShape), last_seq: Type.Union([Type.Null(), Type.Integer()]) }),
  handler: (context, input) =>
    context.read(async (q) => {
      if (!(await findOrder(q, input.order))) throw new WorkError('not_found')
      const rows = await listOrderTimeline(q, input.order, input.after ?? 0, input.limit ?? 100)
      return { status: 200, json: `{"events":[${rows.map((row) => row.json).join(',')}],"last_seq":${rows.at(-1)?.seq ?? 'null'}}` }
    }),
})
