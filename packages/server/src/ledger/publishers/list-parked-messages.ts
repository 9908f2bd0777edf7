import Type from 'typebox'
import { decodeCursor, encodeCursor, sealOf, positionPattern } from '../../kernel/operations/cursor.ts'
import { cursor, limit } from '../../kernel/operations/inputs.ts'
import { defineOperation } from '../tools.ts'
import { listParkedMessages as list } from './admin.store.ts'
import { namePattern, publisherName } from './parked.ts'

const maybeId = Type.Union([Type.Null(), Type.String({ format: 'uuid' })])

export const listParkedMessages = defineOperation({
  name: 'list_parked_messages',
  summary: 'Messages that a receiver refuses for themselves, with its reason; the event itself stays in the record.',
  http: { method: 'GET', path: '/parked-messages', success: 200 },
  ability: 'admin:publishers',
  idempotency: 'none',
  refuses: ['cursor_invalid', 'cursor_expired'],
  command: { words: 'publishers parked' },
  tool: 'for operators',
  input: Type.Object({ publisher: Type.Optional(publisherName), limit, cursor }),
  output: Type.Object({
    messages: Type.Array(
      Type.Object(
        {
          publisher: Type.String(),
          seq: Type.Integer({ minimum: 1 }),
          state: Type.Enum(['trying', 'parked', 'retry'], {
            description: 'trying: will be tried again by itself. parked: set aside. retry: a person asked for another try.',
          }),
          event_id: Type.String({ format: 'uuid' }),
          order_id: maybeId,
          item_id: maybeId,
          kind: Type.String(),
          reason: Type.String({ description: 'What the receiver said.' }),
          tries: Type.Integer({ minimum: 1 }),
          first_refused_at: Type.String({ format: 'date-time' }),
          last_refused_at: Type.String({ format: 'date-time' }),
        },
        { title: 'ParkedMessage' },
      ),
    ),
    next_cursor: Type.Union([Type.Null(), Type.String()]),
  }),
  async handler(context, input) {
    const seal = sealOf(context)
    const size = input.limit ?? 50
    const [name, position] = input.cursor ? decodeCursor(seal, 'parked', input.cursor, [new RegExp(namePattern), positionPattern]) : []
    const after = name !== undefined && position !== undefined ? { publisher: name, seq: position } : null
    const rows = await context.read((q) => list(q, input.publisher ?? null, after, size + 1))
    const messages = rows.slice(0, size)
    const last = messages.at(-1)
    return {
      status: 200,
      body: { messages, next_cursor: rows.length > size && last ? encodeCursor(seal, 'parked', [last.publisher, last.seq]) : null },
    }
  },
})
