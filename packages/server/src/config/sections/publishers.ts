/** The section `publishers`: which other systems receive events, and how each is reached. publisher-rules.ts says what each one needs. */
import { publisherNames } from '@work-manager/contract'
import Type from 'typebox'

const kindPattern = String.raw`^(\*|[a-z_]+\.(\*|[a-z_]+))$`

export const publishersSection = Type.Object(
  {
    use: Type.Array(Type.String(), {
      default: [],
      uniqueItems: true,
      accepts: `a list of ${publisherNames.join(', ')}`,
      description: 'Other systems that receive the events of the record, as CloudEvents (docs/publishers.md).',
    }),
    kinds: Type.Array(Type.String({ pattern: kindPattern }), {
      default: ['*'],
      minItems: 1,
      accepts: 'a list of kinds such as order.approved, order.* or *',
      description: 'Kinds of events that are published; the others are passed over.',
    }),
    source: Type.String({
      default: 'urn:work-manager',
      pattern: String.raw`^[\x21-\x7e]+$`,
      maxLength: 500,
      accepts: 'a URI without spaces',
      description: 'CloudEvents `source`: which system speaks. Give each installation its own.',
    }),
    batch_size: Type.Integer({
      default: 100,
      minimum: 1,
      maximum: 1000,
      description: 'Events of a tenant that are handed over at a time.',
    }),
    timeout_ms: Type.Integer({
      default: 5000,
      minimum: 100,
      maximum: 60_000,
      description: 'How long one call to a receiver may take. What a killed process was at goes on after four times as long and 12 s.',
    }),
    max_tries: Type.Integer({
      default: 5,
      minimum: 1,
      maximum: 100,
      description: 'How often a receiver may refuse a message for itself before it is parked. A receiver that is away parks nothing.',
    }),
    file_path: Type.Optional(
      Type.String({ minLength: 1, accepts: 'a path', description: 'file: where the lines go. Relative to the current directory.' }),
    ),
    redis_url: Type.Optional(
      Type.String({
        secret: true,
        accepts: 'redis://user:password@host:6379/0, or rediss:// for TLS',
        description: 'redis-streams: the Redis of the stream. Absent: redis.url.',
      }),
    ),
    redis_stream: Type.String({
      default: 'work-manager.events',
      minLength: 1,
      description: 'redis-streams: key of the stream, as it is (redis.prefix is not put before it).',
    }),
    nats_url: Type.Optional(
      Type.String({
        secret: true,
        env: ['NATS_URL'],
        accepts: 'nats://user:password@host:4222, nats://token@host:4222, or tls:// for TLS',
        description: 'nats: the server, with JetStream.',
      }),
    ),
    nats_subject: Type.String({
      default: 'work-manager',
      pattern: '^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$',
      accepts: 'words joined by dots',
      description: 'nats: begin of the subjects; the kind follows, as in work-manager.order.approved.',
    }),
    nats_stream: Type.String({
      default: 'WORK_MANAGER',
      pattern: '^[A-Za-z0-9_-]+$',
      accepts: 'letters, digits, - and _',
      description: 'nats: the stream that takes the subjects.',
    }),
    nats_create_stream: Type.Boolean({ default: false, description: 'nats: create the stream when it does not exist.' }),
    rabbitmq_url: Type.Optional(
      Type.String({
        secret: true,
        env: ['RABBITMQ_URL'],
        accepts: 'amqp://user:password@host:5672/vhost, or amqps:// for TLS',
        description: 'rabbitmq: the broker.',
      }),
    ),
    rabbitmq_exchange: Type.String({
      default: 'work-manager',
      minLength: 1,
      maxLength: 127,
      description: 'rabbitmq: the durable topic exchange, created when it does not exist. Routing key = kind.',
    }),
    rabbitmq_mandatory: Type.Boolean({
      default: true,
      description: 'rabbitmq: a message that no queue takes counts as refused. Off: it is dropped by the broker.',
    }),
    kafka_brokers: Type.Array(Type.String({ pattern: '^[^\\s:/]+:\\d{1,5}$' }), {
      default: [],
      accepts: 'a list of host:port',
      description: 'kafka: the bootstrap brokers.',
    }),
    kafka_topic: Type.String({
      default: 'work-manager.events',
      pattern: '^[A-Za-z0-9._-]{1,249}$',
      accepts: 'letters, digits, dots, - and _',
      description: 'kafka: the topic. Key = order.',
    }),
    kafka_tls: Type.Boolean({ default: false, description: 'kafka: connect with TLS.' }),
    kafka_username: Type.Optional(Type.String({ minLength: 1, description: 'kafka: SASL user name (SCRAM-SHA-256).' })),
    kafka_password: Type.Optional(Type.String({ minLength: 1, secret: true, description: 'kafka: SASL password.' })),
    sqs_queue_url: Type.Optional(
      Type.String({
        accepts: 'https://sqs.eu-central-1.amazonaws.com/123456789012/events.fifo',
        description: 'sqs: the queue. Only a FIFO queue keeps the order of each order.',
      }),
    ),
    sns_topic_arn: Type.Optional(
      Type.String({
        pattern: '^arn:[^:]+:sns:[^:]+:\\d+:[A-Za-z0-9_.-]+$',
        accepts: 'arn:aws:sns:eu-central-1:123456789012:events.fifo',
        description: 'sns: the topic. Only a FIFO topic keeps the order of each order.',
      }),
    ),
    aws_region: Type.Optional(
      Type.String({
        minLength: 1,
        env: ['AWS_REGION'],
        description: 'sqs, sns: the region. Keys come from where AWS clients look for them (variables, profile, role).',
      }),
    ),
    aws_endpoint: Type.Optional(
      Type.String({ accepts: 'http://127.0.0.1:4566', description: 'sqs, sns: another address than that of AWS, such as an emulator.' }),
    ),
  },
  { description: 'Events to other systems.' },
)
