import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { topics } from '../../kernel/signals/work-signal.ts'
import { appendEvents } from '../../kernel/store/events.ts'
import { discardParkedMessage, listParkedMessages as list, retryParkedMessages as retry } from './admin.store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { decodeCursor, encodeCursor, positionPattern } from '../../kernel/operations/cursor.ts'
import { cursor, limit, reason } from '../../kernel/operations/inputs.ts'
import { defineOperation } from '../tools.ts'

const namePattern = '^[a-z][a-z0-9-]{0,59}$'
export const publisherName = Type.String({ pattern: namePattern, description: 'Name of the publisher, such as nats.' })
const seq = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Sequence of the fact in the record.' })
const maybeId = Type.Union([Type.Null(), Type.String({ format: 'uuid' })])

/** Refuses with: cursor_invalid. */
export const listParkedMessages = defineOperation({
  name: 'list_parked_messages',
  summary: 'Messages that a receiver refuses for themselves, with its reason; the fact itself stays in the record.',
  http: { method: 'GET', path: '/parked-messages', success: 200 },
  ability: 'admin:publishers',
  idempotency: 'none',
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
    const { tenantId } = context.principal
    const size = input.limit ?? 50
    const [name, position] = input.cursor ? decodeCursor(tenantId, 'parked', input.cursor, [new RegExp(namePattern), positionPattern]) : []
    const after = name !== undefined && position !== undefined ? { publisher: name, seq: position } : null
    const rows = await context.read((q) => list(q, input.publisher ?? null, after, size + 1))
    const messages = rows.slice(0, size)
    const last = messages.at(-1)
    return {
      status: 200,
      body: { messages, next_cursor: rows.length > size && last ? encodeCursor(tenantId, 'parked', [last.publisher, last.seq]) : null },
    }
  },
})

/** Refuses with: agents_cannot_decide, not_found (nothing is parked there). */
export const retryParkedMessages = defineOperation({
  name: 'retry_parked_messages',
  summary: 'Have parked messages of a publisher sent once more, one or all of them, after the cause is mended.',
  http: { method: 'POST', path: '/parked-messages/retry', success: 200 },
  ability: 'admin:publishers',
  peopleOnly: true,
  idempotency: 'accepted',
  input: Type.Object({ publisher: publisherName, seq: Type.Optional({ ...seq, description: 'Only this one.' }), reason }),
  output: Type.Object({ publisher: Type.String(), messages: Type.Integer({ minimum: 1, description: 'How many are sent again.' }) }),
  async handler(context, input) {
    const reply = await context.write(async (tx) => {
      const messages = await retry(tx, input.publisher, input.seq ?? null)
      if (messages === 0) throw nothingParked(input.publisher, input.seq)
      await appendEvents(tx, actorOf(context), await tx.clock(), [
        {
          kind: 'publisher.messages_retried',
          orderId: null,
          payload: { publisher: input.publisher, seq: input.seq ?? null, messages, reason: input.reason },
          message: input.reason.slice(0, 500),
        },
      ])
      return { status: 200, body: { publisher: input.publisher, messages } }
    })
    context.tools.signal.wake(topics.numbered)
    return reply
  },
})

/** Refuses with: agents_cannot_decide, not_found (nothing is parked there). */
export const discardParkedMessageOperation = defineOperation({
  name: 'discard_parked_message',
  summary: 'Give a parked message up: its receiver never gets it. The fact itself stays in the record.',
  http: { method: 'POST', path: '/parked-messages/discard', success: 200 },
  ability: 'admin:publishers',
  peopleOnly: true,
  idempotency: 'accepted',
  input: Type.Object({ publisher: publisherName, seq, reason }),
  output: Type.Object({ publisher: Type.String(), seq: Type.Integer({ minimum: 1 }), event_id: Type.String({ format: 'uuid' }) }),
  handler: (context, input) =>
    context.write(async (tx) => {
      const message = await discardParkedMessage(tx, input.publisher, input.seq)
      if (message === undefined) throw nothingParked(input.publisher, input.seq)
      await appendEvents(tx, actorOf(context), await tx.clock(), [
        {
          kind: 'publisher.message_discarded',
          orderId: message.order_id,
          itemId: message.item_id,
          payload: {
            publisher: input.publisher,
            seq: input.seq,
            event_id: message.event_id,
            kind: message.kind,
            refused_because: message.reason,
            reason: input.reason,
          },
          message: input.reason.slice(0, 500),
        },
      ])
      return { status: 200, body: { publisher: input.publisher, seq: input.seq, event_id: message.event_id } }
    }),
})

const nothingParked = (publisher: string, at: number | undefined) =>
  new WorkError('not_found', {
    detail:
      at === undefined
        ? `Nothing of the publisher ${publisher} is parked.`
        : `The publisher ${publisher} has nothing parked at ${at}; one that is still tried is not set aside yet.`,
    fix: 'List what is parked with GET /parked-messages.',
  })
