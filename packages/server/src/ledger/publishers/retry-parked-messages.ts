import Type from 'typebox'
import { actorOf } from '../../kernel/operations/actor.ts'
import { reason } from '../../kernel/operations/inputs.ts'
import { topics } from '../topics.ts'
import { appendEvents } from '../../kernel/store/events.ts'
import { defineOperation } from '../tools.ts'
import { retryParkedMessages as retry } from './admin.store.ts'
import { nothingParked, publisherName, seq } from './parked.ts'

export const retryParkedMessages = defineOperation({
  name: 'retry_parked_messages',
  summary: 'Have parked messages of a publisher sent once more, one or all of them, after the cause is mended.',
  http: { method: 'POST', path: '/parked-messages/retry', success: 200 },
  ability: 'admin:publishers',
  peopleOnly: true,
  idempotency: 'accepted',
  // not_found: nothing is parked there.
  refuses: ['not_found'],
  command: { words: 'publishers retry', arguments: ['publisher'], example: 'rabbitmq --reason "The queue is bound now"' },
  tool: 'administration is not an agent’s work',
  input: Type.Object({ publisher: publisherName, seq: Type.Optional({ ...seq, description: 'Only this one.' }), reason }),
  output: Type.Object({ publisher: Type.String(), messages: Type.Integer({ minimum: 1, description: 'How many are sent again.' }) }),
  async handler(context, input) {
    const reply = await context.write(async (tx) => {
      const messages = await retry(tx, input.publisher, input.seq ?? null)
      if (messages === 0) throw nothingParked(input.publisher, input.seq)
      await appendEvents(tx, actorOf(context), await tx.clock(), [
        {
          kind: 'publisher.messages_retried',
          label: input.publisher,
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
