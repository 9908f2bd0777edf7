import { nearestName, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { topics } from '../topics.ts'
import { appendEvents } from '../../kernel/store/events.ts'
import { lockCursor, moveCursor, viewPublishers } from './admin.store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { reason } from '../../kernel/operations/inputs.ts'
import { defineOperation } from '../tools.ts'
import { publisherName } from './parked.ts'

const place = (description: string) => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description })

export const movePublisherCursor = defineOperation({
  name: 'move_publisher_cursor',
  summary: 'Rewind a publisher, so that events are published again, or skip events that nobody wants any more.',
  http: { method: 'POST', path: '/publishers/:publisher/cursor', success: 200 },
  ability: 'admin:publishers',
  peopleOnly: true,
  idempotency: 'accepted',
  // not_found: no such publisher.
  // validation_failed: beyond the record.
  refuses: ['not_found', 'validation_failed'],
  command: { words: 'publishers move', arguments: ['seq'], example: 'nats 4711 --reason "The stream was lost; publish again from here"' },
  tool: 'administration is not an agent’s work',
  input: Type.Object({
    publisher: publisherName,
    seq: place('The last event that counts as published: 0 publishes everything again, head of list_publishers skips all that waits.'),
    reason,
  }),
  output: Type.Object({
    publisher: Type.String(),
    from_seq: place('Where it stood.'),
    seq: place('Where it stands.'),
    head: place('The newest event.'),
  }),
  async handler(context, input) {
    const { publisher, seq } = input
    const known = (await context.read((q) => viewPublishers(q, context.tools.settings.publishers))).map((view) => view.publisher)
    if (!known.includes(publisher)) throw unknownPublisher(publisher, known)
    const reply = await context.write(async (tx) => {
      const { seq: from, head } = await lockCursor(tx, publisher)
      if (seq > head) {
        const message = `The record ends at ${head}; ${seq} lies beyond it.`
        throw new WorkError('validation_failed', { detail: message, errors: [{ field: 'seq', code: 'beyond_record', message }] })
      }
      await moveCursor(tx, publisher, seq)
      await appendEvents(tx, actorOf(context), await tx.clock(), [
        {
          kind: 'publisher.cursor_moved',
          label: publisher,
          payload: { publisher, from_seq: from, seq, reason: input.reason },
          message: input.reason.slice(0, 500),
        },
      ])
      return { status: 200, body: { publisher, from_seq: from, seq, head } }
    })
    context.tools.signal.wake(topics.numbered)
    return reply
  },
})

function unknownPublisher(name: string, known: readonly string[]): WorkError {
  const nearest = nearestName(name, known)
  return new WorkError('not_found', {
    detail: `There is no publisher ${name}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`,
    fix: 'List them with GET /publishers.',
  })
}
