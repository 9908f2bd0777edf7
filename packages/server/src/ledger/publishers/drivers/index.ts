/** The publishers, by the name that `publishers.use` takes. A new one is one file and one line here. */
import type { PublisherDriver } from '@work-manager/contract'
import type { Publisher, PublisherSettings } from '../publisher.ts'
import { filePublisher } from './file.ts'
import { kafkaPackages, kafkaPublisher } from './kafka.ts'
import { natsPackages, natsPublisher } from './nats.ts'
import { rabbitmqPackages, rabbitmqPublisher } from './rabbitmq.ts'
import { redisStreamsPublisher } from './redis-streams.ts'
import { snsPackages, snsPublisher } from './sns.ts'
import { sqsPackages, sqsPublisher } from './sqs.ts'

interface Driver {
  /** Client libraries that whoever uses it installs. */
  readonly packages: readonly string[]
  create(settings: PublisherSettings): Publisher
}

export const publisherDrivers: Readonly<Record<PublisherDriver, Driver>> = {
  file: { packages: [], create: filePublisher },
  'redis-streams': { packages: [], create: redisStreamsPublisher },
  nats: { packages: natsPackages, create: natsPublisher },
  rabbitmq: { packages: rabbitmqPackages, create: rabbitmqPublisher },
  kafka: { packages: kafkaPackages, create: kafkaPublisher },
  sqs: { packages: sqsPackages, create: sqsPublisher },
  sns: { packages: snsPackages, create: snsPublisher },
}
