import { ItemShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { renderItem } from './store.ts'
import { renderSubmissions } from './submissions.store.ts'
import { PageBudget } from '../../kernel/store/page-budget.ts'
import { itemId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import type { McpTool } from '../../kernel/operations/operation.ts'
import { eventShown, itemShown, orderShown } from '../shown.ts'

const mostSubmissions = 100

/** One tool for an item and for an order. */
export const getTool: McpTool = {
  name: 'work_get',
  title: 'Read an order or an item',
  summary: 'Read an order with its items and the digest that an approval names, or one item with its submissions.',
  advice: 'Give order_id or item_id. Long members are shortened; `at` reads one of them whole, piece by piece.',
  shows: {
    order: {
      ...orderShown,
      payload: true,
      meta: true,
      items: { ...itemShown, order_id: undefined, result: true },
      items_omitted: true,
      effects: true,
      events: { ...eventShown, payload: undefined },
      events_behind: true,
    },
    item: {
      ...itemShown,
      type: true,
      input: true,
      result: true,
      evidence: true,
      parts_required: true,
      parts_state: true,
      created_at: true,
      age_seconds: true,
    },
    submissions: true,
    submissions_omitted: true,
  },
  readsPieces: true,
}

export const getItem = defineOperation({
  name: 'get_item',
  summary: 'Read one item with every submission it ever had.',
  http: { method: 'GET', path: '/items/:item', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['not_found'],
  command: { words: 'items show' },
  tool: getTool,
  input: Type.Object({ item: itemId }),
  output: Type.Object({
    item: ItemShape,
    submissions: Type.Array(Type.Unknown()),
    submissions_omitted: Type.Boolean({ description: 'Older ones are not shown.' }),
  }),
  handler: (context, input) =>
    context.read(async (q) => {
      const item = await renderItem(q, input.item)
      if (!item) throw new WorkError('not_found')
      const { rows, more } = await new PageBudget().page(q, mostSubmissions, (within) => renderSubmissions(within, input.item))
      const submissions = rows.map((row) => row.json).join(',')
      return { status: 200, json: `{"item":${item},"submissions":[${submissions}],"submissions_omitted":${more}}` }
    }),
})
