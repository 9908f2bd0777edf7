import { PartShape, partStatuses, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { findItem } from '../items/store.ts'
import { readPartsState, renderParts } from './store.ts'
import { PageBudget } from '../../kernel/store/page-budget.ts'
import { itemId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'

const mostParts = 1000

export const listParts = defineOperation({
  name: 'list_parts',
  summary: 'List the parts of an item, every revision.',
  http: { method: 'GET', path: '/items/:item/parts', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['not_found'],
  command: { words: 'items parts' },
  tool: { name: 'work_list_parts', title: 'List parts' },
  input: Type.Object({
    item: itemId,
    part_key: Type.Optional(Type.String({ maxLength: 120 })),
    status: Type.Optional(Type.Enum(partStatuses)),
  }),
  output: Type.Object({
    parts: Type.Array(PartShape),
    parts_omitted: Type.Boolean({ description: 'There are more: ask by part_key and status.' }),
    parts_state: Type.Unknown(),
  }),
  handler: (context, input) =>
    context.read(async (q) => {
      if (!(await findItem(q, input.item))) throw new WorkError('not_found')
      const filter = { partKey: input.part_key, status: input.status }
      const { rows, more } = await new PageBudget().page(q, mostParts, (within) => renderParts(within, input.item, filter))
      const state = await readPartsState(q, input.item)
      return {
        status: 200,
        json: `{"parts":[${rows.map((row) => row.json).join(',')}],"parts_omitted":${more},"parts_state":${Object.keys(state).length > 0 ? JSON.stringify(state) : 'null'}}`,
      }
    }),
})
