import { PartShape, partStatuses, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { findItem } from '../items/store.ts'
import { readPartsState, renderParts } from './store.ts'
import { itemId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'

export const listParts = defineOperation({
  name: 'list_parts',
  summary: 'List the parts of an item, every revision.',
  http: { method: 'GET', path: '/items/:item/parts', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['not_found'],
  command: { words: 'items parts' },
  tool: { name: 'work.list_parts', title: 'List parts' },
  input: Type.Object({
    item: itemId,
    part_key: Type.Optional(Type.String({ maxLength: 120 })),
    status: Type.Optional(Type.Enum(partStatuses)),
  }),
  output: Type.Object({ parts: Type.Array(PartShape), parts_state: Type.Unknown() }),
  handler: (context, input) =>
    context.read(async (q) => {
      if (!(await findItem(q, input.item))) throw new WorkError('not_found')
      const parts = await renderParts(q, input.item, { partKey: input.part_key, status: input.status })
      const state = await readPartsState(q, input.item)
      return {
        status: 200,
        json: `{"parts":[${parts.join(',')}],"parts_state":${Object.keys(state).length > 0 ? JSON.stringify(state) : 'null'}}`,
      }
    }),
})
