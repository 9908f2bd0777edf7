/** One service for each publisher that is used: a receiver that is stuck holds up nobody but itself. */
import path from 'node:path'
import type { PublisherDriver } from '@work-manager/contract'
import { type Config, ConfigError } from '../../config/index.ts'
import { installAdvice, missingPackages } from './drivers/client-package.ts'
import { publisherDrivers } from './drivers/index.ts'
import type { PublisherSettings } from './publisher.ts'
import { createRelay } from './relay.ts'
import type { LedgerTools } from '../tools.ts'
import { topics } from '../topics.ts'
import type { MakeService } from '../../kernel/system.ts'

const settingsOf = ({ publishers, redis }: Config): PublisherSettings => ({
  timeoutMs: publishers.timeout_ms,
  file: { path: path.resolve(publishers.file_path ?? '') },
  redis: { url: publishers.redis_url ?? redis.url ?? '', stream: publishers.redis_stream },
  nats: {
    url: publishers.nats_url ?? '',
    subject: publishers.nats_subject,
    stream: publishers.nats_stream,
    createStream: publishers.nats_create_stream,
  },
  rabbitmq: { url: publishers.rabbitmq_url ?? '', exchange: publishers.rabbitmq_exchange, mandatory: publishers.rabbitmq_mandatory },
  kafka: {
    brokers: publishers.kafka_brokers,
    topic: publishers.kafka_topic,
    tls: publishers.kafka_tls,
    username: publishers.kafka_username,
    password: publishers.kafka_password,
  },
  sqs: { queueUrl: publishers.sqs_queue_url ?? '' },
  sns: { topicArn: publishers.sns_topic_arn ?? '' },
  aws: { region: publishers.aws_region, endpoint: publishers.aws_endpoint },
})

/** Refuses with: ConfigError, when the client library of a publisher that is used is not installed. */
function assertInstalled(used: readonly PublisherDriver[]): void {
  const problems = used.flatMap((name) => {
    const missing = missingPackages(publisherDrivers[name].packages)
    return missing.length > 0 ? [`publishers.use names ${name}, whose client library is not installed: ${installAdvice(missing)}`] : []
  })
  if (problems.length > 0) throw new ConfigError(problems)
}

/** The service of one publisher; null where it is not used. Refuses with: ConfigError. */
export const publisherService =
  (name: PublisherDriver): MakeService<LedgerTools> =>
  ({ system, metrics, log }, config) => {
    // The configuration was checked: every name is one of the drivers.
    const used = config.publishers.use as readonly PublisherDriver[]
    if (!used.includes(name)) return null
    assertInstalled(used)
    const settings = settingsOf(config)
    const { source, kinds, batch_size: batchSize, max_tries: maxTries } = config.publishers
    const relay = createRelay(
      () => publisherDrivers[name].create(settings),
      { name, source, kinds, batchSize, maxTries, timeoutMs: settings.timeoutMs },
      { system, metrics, log },
    )
    return {
      name: `publisher-${name}`,
      everyMs: 500,
      // Opening, handing over twice, and as much again for a driver that tries by itself.
      stepWithinMs: 60_000 + 8 * settings.timeoutMs,
      wakeOn: [topics.numbered],
      run: relay.run,
      stop: relay.stop,
    }
  }
