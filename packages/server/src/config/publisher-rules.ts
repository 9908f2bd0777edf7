/** What must be set for each publisher that is used, and whether it can be meant. */
import path from 'node:path'
import { eventSpecs, nearestName, publisherNames, type PublisherDriver } from '@work-manager/contract'
import type { Config } from './schema.ts'

type Publishers = Config['publishers']

/** Wrong only when nothing could ever fit: a kind that does not exist is a typing error. */
export function kindProblems(kinds: readonly string[]): string[] {
  const known = Object.keys(eventSpecs)
  return kinds
    .filter((kind) => kind !== '*' && !known.some((each) => (kind.endsWith('.*') ? each.startsWith(kind.slice(0, -1)) : each === kind)))
    .map((kind) => {
      const nearest = nearestName(kind, known)
      return `holds '${kind}', which no event has as its kind${nearest === undefined ? '; GET /events lists kinds' : `; did you mean '${nearest}'?`}`
    })
}

function urlProblems(setting: string, value: string | undefined, schemes: readonly string[], example: string): string[] {
  if (value === undefined || value === '') return [`publishers.${setting} is missing; set it to something like ${example}`]
  const problem = `publishers.${setting} must be a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}, such as ${example}`
  try {
    const { protocol, hostname } = new URL(value)
    return schemes.includes(protocol) && hostname !== '' ? [] : [problem]
  } catch {
    // The value is not shown: it may hold a password.
    return [problem]
  }
}

const needs: Readonly<Record<PublisherDriver, (publishers: Publishers, config: Config) => string[]>> = {
  file: ({ file_path: file }) =>
    file === undefined
      ? ['publishers.file_path is missing; name the file that takes the lines, such as ./events.ndjson']
      : fileProblems(file),
  'redis-streams': ({ redis_url: own }, { redis }) =>
    own === undefined && redis.url !== undefined
      ? []
      : urlProblems('redis_url', own, ['redis:', 'rediss:'], 'redis://127.0.0.1:6379').map((problem) =>
          own === undefined ? `${problem}, or set redis.url` : problem,
        ),
  nats: ({ nats_url: url }) => urlProblems('nats_url', url, ['nats:', 'tls:'], 'nats://127.0.0.1:4222'),
  rabbitmq: ({ rabbitmq_url: url }) => urlProblems('rabbitmq_url', url, ['amqp:', 'amqps:'], 'amqp://user:password@127.0.0.1:5672'),
  kafka: ({ kafka_brokers: brokers, kafka_username: user, kafka_password: password }) => [
    ...(brokers.length === 0 ? ['publishers.kafka_brokers is empty; name at least one host:port'] : []),
    ...((user === undefined) === (password === undefined)
      ? []
      : ['publishers.kafka_username and publishers.kafka_password belong together; set both or none']),
  ],
  sqs: ({ sqs_queue_url: url, aws_region: region }) => [
    ...urlProblems('sqs_queue_url', url, ['https:', 'http:'], 'https://sqs.eu-central-1.amazonaws.com/123456789012/events.fifo'),
    ...regionProblems(region),
  ],
  sns: ({ sns_topic_arn: arn, aws_region: region }) => [
    ...(arn === undefined
      ? ['publishers.sns_topic_arn is missing; set it to something like arn:aws:sns:eu-central-1:123456789012:events.fifo']
      : []),
    ...regionProblems(region),
  ],
}

const fileProblems = (file: string): string[] =>
  file.endsWith(path.sep) || file.endsWith('/') ? [`publishers.file_path is '${file}', a directory; name a file in it`] : []
const regionProblems = (region: string | undefined): string[] =>
  region === undefined ? ['publishers.aws_region is missing; set it to something like eu-central-1'] : []

/** Everything that would keep a used publisher from ever working; whether its receiver answers shows at run time. */
export function publisherProblems(config: Config): string[] {
  const { publishers } = config
  const isKnown = (name: string): name is PublisherDriver => (publisherNames as readonly string[]).includes(name)
  const problems = publishers.use.flatMap((name) => {
    if (isKnown(name)) return needs[name](publishers, config)
    const nearest = nearestName(name, publisherNames)
    return [
      `publishers.use names '${name.slice(0, 64)}', which is no publisher; ${nearest === undefined ? `known are ${publisherNames.join(', ')}` : `did you mean '${nearest}'?`}`,
    ]
  })
  if (publishers.aws_endpoint !== undefined && publishers.use.some((name) => name === 'sqs' || name === 'sns'))
    problems.push(...urlProblems('aws_endpoint', publishers.aws_endpoint, ['http:', 'https:'], 'http://127.0.0.1:4566'))
  return [...new Set(problems)]
}
