/** Other systems that facts can be published to: the names that `publishers.use` takes. */
export const publisherNames = ['file', 'redis-streams', 'nats', 'rabbitmq', 'kafka', 'sqs', 'sns'] as const
export type PublisherDriver = (typeof publisherNames)[number]
