/** What the verbs of parked messages share. */
import { WorkError } from '@work-manager/contract'
import Type from 'typebox'

export const namePattern = '^[a-z][a-z0-9-]{0,59}$'
export const publisherName = Type.String({ pattern: namePattern, description: 'Name of the publisher, such as nats.' })
export const seq = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Sequence of the event in the record.' })

export const nothingParked = (publisher: string, at: number | undefined) =>
  new WorkError('not_found', {
    detail:
      at === undefined
        ? `Nothing of the publisher ${publisher} is parked.`
        : `The publisher ${publisher} has nothing parked at ${at}; one that is still tried is not set aside yet.`,
    fix: 'List what is parked with GET /parked-messages.',
  })
