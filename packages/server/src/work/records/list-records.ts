import Type from 'typebox'
import { listRecords as readRecords } from './store.ts'
import { decodeCursor, encodeCursor, sealOf } from '../../kernel/operations/cursor.ts'
import { cursor, limit } from '../../kernel/operations/inputs.ts'
import { defineOperation } from '../tools.ts'
import { PageBudget } from '../../kernel/store/page-budget.ts'

export const listRecords = defineOperation({
  name: 'list_records',
  summary: 'Read what applied orders wrote into a collection of the document table.',
  http: { method: 'GET', path: '/records/:collection', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['cursor_invalid', 'cursor_expired'],
  command: { words: 'records' },
  tool: 'for programs that use what was applied',
  input: Type.Object({ collection: Type.String({ minLength: 1, maxLength: 120 }), limit, cursor }),
  output: Type.Object({ data: Type.Array(Type.Unknown()), next_cursor: Type.Union([Type.Null(), Type.String()]) }),
  handler(context, input) {
    const seal = sealOf(context)
    const list = `records ${input.collection}`
    const size = input.limit ?? 50
    const after = input.cursor
      ? decodeCursor(seal, list, input.cursor, [{ test: (key) => key.length >= 1 && key.length <= 500 && !key.includes('\u0000') }])[0]
      : undefined
    return context.read(async (q) => {
      const { rows: shown, more } = await new PageBudget().page(q, size, (within) => readRecords(within, input.collection, size + 1, after))
      const next = more ? encodeCursor(seal, list, [shown.at(-1)!.key]) : null
      return { status: 200, json: `{"data":[${shown.map((row) => row.json).join(',')}],"next_cursor":${JSON.stringify(next)}}` }
    })
  },
})
