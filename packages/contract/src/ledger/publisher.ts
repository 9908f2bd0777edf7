import { defineEvents } from '../kernel/events.ts'
import { defineNoun } from '../kernel/noun.ts'

/** Other systems that events can be published to: the names that `publishers.use` takes. */
export const publisherNames = ['file', 'redis-streams', 'nats', 'rabbitmq', 'kafka', 'sqs', 'sns'] as const
export type PublisherDriver = (typeof publisherNames)[number]

export const publisher = defineNoun({
  noun: 'publisher',
  events: defineEvents('publisher', {
    cursor_moved: { says: 'A person rewound a publisher, or skipped events for it.', priority: 0 },
    messages_retried: { says: 'A person had parked messages sent once more.', priority: 0 },
    message_discarded: { says: 'A person gave a parked message up.', priority: 0 },
  }),
  abilities: {
    'admin:publishers': {
      group: 'Administration',
      says: 'See publishers and what their receivers refused; retry, discard, rewind and skip (people only).',
    },
  },
})
