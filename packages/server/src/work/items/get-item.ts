import { ItemShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { renderItem } from './store.ts'
import { renderSubmissions } from './submissions.store.ts'
import { itemId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'

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
  output: Type.Object({ item: ItemShape, submissions: Type.Array(Type.Unknown()) }),
  handler: (context, input) =>
    context.read(async (q) => {
      const item = await renderItem(q, input.item)
      if (!item) throw new WorkError('not_found')
      return { status: 200, json: `{"item":${item},"submissions":[${(await renderSubmissions(q, input.item)).join(',')}]}` }
    }),
})
