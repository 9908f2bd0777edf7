import { EventShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { limit } from '../../kernel/operations/inputs.ts'
import { listOrderTimeline } from '../../kernel/store/events.ts'
import { PageBudget } from '../../kernel/store/page-budget.ts'
import { orderId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { findOrder } from './store.ts'

export const getOrderTimeline = defineOperation({
  name: 'get_order_timeline',
  summary: 'Read the life of an order in the order it happened; `after` resumes behind a ledger number.',
  http: { method: 'GET', path: '/orders/:order/timeline', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['not_found', 'cursor_invalid', 'cursor_expired', 'record_behind'],
  command: { words: 'orders timeline' },
  tool: 'the resource work://orders/{order_id}/timeline',
  input: Type.Object({
    order: orderId,
    limit,
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Only events with a greater seq.',
      }),
    ),
  }),
  output: Type.Object({ events: Type.Array(EventShape), last_seq: Type.Union([Type.Null(), Type.Integer()]) }),
  handler: (context, input) =>
    context.readRecord(async (q) => {
      if (!(await findOrder(q, input.order))) throw new WorkError('not_found')
      const size = input.limit ?? 100
      const { rows } = await new PageBudget().page(q, size, (within) => listOrderTimeline(within, input.order, input.after ?? 0, size))
      return { status: 200, json: `{"events":[${rows.map((row) => row.json).join(',')}],"last_seq":${rows.at(-1)?.seq ?? 'null'}}` }
    }),
})
