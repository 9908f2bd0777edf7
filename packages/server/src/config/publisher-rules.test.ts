import { describe, expect, it } from 'vitest'
import { ConfigError, loadConfig } from './index.ts'

async function problemsOf(env: Record<string, string>): Promise<readonly string[]> {
  try {
    await loadConfig({ env, cwd: import.meta.dirname })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}
const use = (names: string, more: Record<string, string> = {}) =>
  problemsOf({
    WORK_MANAGER_PUBLISHERS_USE: names,
    ...Object.fromEntries(Object.entries(more).map(([name, value]) => [`WORK_MANAGER_PUBLISHERS_${name}`, value])),
  })

describe('publishers', () => {
  it('none is fine, and so is each with what it needs', async () => {
    expect(await use('')).toEqual([])
    expect(
      await use('file,redis-streams,nats,rabbitmq,kafka,sqs,sns', {
        FILE_PATH: './events.ndjson',
        REDIS_URL: 'redis://127.0.0.1:6379',
        NATS_URL: 'nats://u:p@127.0.0.1:4222',
        RABBITMQ_URL: 'amqps://u:p@broker/vhost',
        KAFKA_BROKERS: 'one:9092,two:9092',
        SQS_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/q.fifo',
        SNS_TOPIC_ARN: 'arn:aws:sns:eu-central-1:123456789012:t.fifo',
        AWS_REGION: 'eu-central-1',
        KINDS: 'order.*,item.submitted',
      }),
    ).toEqual([])
  })

  it('that do not exist are told with the nearest name', async () => {
    expect(await use('rabitmq,carrier-pigeon')).toEqual([
      "publishers.use names 'rabitmq', which is no publisher; did you mean 'rabbitmq'?",
      expect.stringMatching(/'carrier-pigeon', which is no publisher; known are file, redis-streams, nats, rabbitmq, kafka, sqs, sns/),
    ])
  })

  it.each([
    ['file', {}, /file_path is missing/],
    ['file', { FILE_PATH: 'logs/' }, /a directory/],
    ['redis-streams', {}, /redis_url is missing.*or set redis.url/],
    ['redis-streams', { REDIS_URL: 'http://secret@host' }, /must be a URL that begins with redis:\/\/ or rediss:\/\//],
    ['nats', {}, /nats_url is missing; set it to something like nats:\/\//],
    ['nats', { NATS_URL: 'localhost:4222' }, /begins with nats:\/\//],
    ['rabbitmq', { RABBITMQ_URL: 'rabbit' }, /begins with amqp:\/\//],
    ['kafka', {}, /kafka_brokers is empty/],
    ['kafka', { KAFKA_BROKERS: 'a:1', KAFKA_USERNAME: 'u' }, /belong together/],
    ['sqs', { AWS_REGION: 'eu' }, /sqs_queue_url is missing/],
    ['sns', { SNS_TOPIC_ARN: 'arn:aws:sns:eu:1:t' }, /aws_region is missing/],
  ])('%s with %j: %s', async (name, more, problem) => {
    const problems = await use(name, more)
    expect(problems).toEqual([expect.stringMatching(problem)])
    expect(problems.join('\n')).not.toContain('secret')
  })

  it('take redis.url where they have none of their own', async () => {
    expect(await problemsOf({ WORK_MANAGER_PUBLISHERS_USE: 'redis-streams', REDIS_URL: 'redis://127.0.0.1' })).toEqual([])
  })

  it('take kinds that exist; others and values out of range are told', async () => {
    expect(await use('', { KINDS: 'order.aproved' })).toEqual([
      expect.stringMatching(/'order.aproved', which no event has.*did you mean 'order.approved'/),
    ])
    expect(await use('', { KINDS: 'Order' })).toEqual([expect.stringMatching(/accepted: a list of kinds/)])
    expect(await use('', { BATCH_SIZE: '0', MAX_TRIES: '-1', TIMEOUT_MS: '5' })).toHaveLength(3)
  })
})
