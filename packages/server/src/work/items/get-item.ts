import { ItemShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { renderItem } from './store.ts'
import { renderSubmissions } from './submissions.store.ts'
import { PageBudget } from '../../kernel/store/page-budget.ts'
import { itemId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'

const mostSubmissions = 100

export const getItem = defineOperation({
  name: 'get_item',
  summary: 'Read one item with every submission it ever had.',
  http: { method: 'GET', path: '/items/:item', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['not_found'],
  command: { words: 'items show' },
  tool: 'the resource work://items/{item_id}',
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
