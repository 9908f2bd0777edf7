import Type from 'typebox'
import { actorOf } from '../../kernel/operations/actor.ts'
import { reason } from '../../kernel/operations/inputs.ts'
import { appendEvents } from '../../kernel/store/events.ts'
import { defineOperation } from '../tools.ts'
import { discardParkedMessage as discard } from './admin.store.ts'
import { nothingParked, publisherName, seq } from './parked.ts'

export const discardParkedMessage = defineOperation({
  name: 'discard_parked_message',
  summary: 'Give a parked message up: its receiver never gets it. The event itself stays in the record.',
  http: { method: 'POST', path: '/parked-messages/discard', success: 200 },
  ability: 'admin:publishers',
  peopleOnly: true,
  idempotency: 'accepted',
  // not_found: nothing is parked there.
  refuses: ['not_found'],
  command: {
    words: 'publishers discard',
    arguments: ['publisher', 'seq'],
    example: 'sqs 4711 --reason "Too large for the queue; the consumer reads it over HTTP"',
  },
  tool: 'administration is not an agent’s work',
  input: Type.Object({ publisher: publisherName, seq, reason }),
  output: Type.Object({ publisher: Type.String(), seq: Type.Integer({ minimum: 1 }), event_id: Type.String({ format: 'uuid' }) }),
  handler: (context, input) =>
    context.write(async (tx) => {
      const message = await discard(tx, input.publisher, input.seq)
      if (message === undefined) throw nothingParked(input.publisher, input.seq)
      await appendEvents(tx, actorOf(context), await tx.clock(), [
        {
          kind: 'publisher.message_discarded',
          label: input.publisher,
          payload: {
            publisher: input.publisher,
            seq: input.seq,
            event_id: message.event_id,
            order_id: message.order_id,
            item_id: message.item_id,
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
