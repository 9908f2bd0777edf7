import { uuidPattern } from '../../kernel/uuid.ts'
import { ItemShape, itemStates } from '@work-manager/contract'
import Type from 'typebox'
import { pageItems } from './store.ts'
import { decodeCursor, encodeCursor, sealOf } from '../../kernel/operations/cursor.ts'
import { cursor, limit } from '../../kernel/operations/inputs.ts'
import { defineOperation } from '../tools.ts'
import { PageBudget } from '../../kernel/store/page-budget.ts'

/** An unknown order gives an empty list, like an order without items. */
export const listItems = defineOperation({
  name: 'list_items',
  summary: 'List items across orders: by order, state, type, or the agent that holds them.',
  http: { method: 'GET', path: '/items', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['cursor_invalid', 'cursor_expired'],
  command: { words: 'items list', byHand: true },
  tool: 'work_get carries the items; one item is the resource work://items/{item_id}',
  input: Type.Object({
    order: Type.Optional(Type.String({ format: 'uuid', description: 'Only items of this order, in plan order.' })),
    state: Type.Optional(Type.Enum(itemStates)),
    type: Type.Optional(Type.String({ maxLength: 120 })),
    agent: Type.Optional(Type.String({ maxLength: 255, description: 'Only items that this agent id holds now.' })),
    limit,
    cursor,
  }),
  output: Type.Object({ data: Type.Array(ItemShape), next_cursor: Type.Union([Type.Null(), Type.String()]) }),
  handler(context, input) {
    const seal = sealOf(context)
    const size = input.limit ?? context.tools.settings.defaultPageSize
    const list = input.order ? `items of ${input.order}` : 'items'
    const at = input.cursor ? decodeCursor(seal, list, input.cursor, [input.order ? /^\d{1,9}$/ : uuidPattern])[0]! : undefined
    const after = at === undefined ? undefined : input.order ? { ordinal: Number(at) } : { id: at }
    const filter = {
      ...(input.order && { orderId: input.order }),
      ...(input.state && { state: input.state }),
      ...(input.type && { type: input.type }),
      ...(input.agent && { agentId: input.agent }),
    }
    return context.read(async (q) => {
      const { rows: shown, more } = await new PageBudget().page(q, size, (within) => pageItems(within, filter, size + 1, after))
      const last = shown.at(-1)
      const next = more && last ? encodeCursor(seal, list, [input.order ? last.ordinal : last.id]) : null
      return { status: 200, json: `{"data":[${shown.map((row) => row.json).join(',')}],"next_cursor":${JSON.stringify(next)}}` }
    })
  },
})
