/** One topic, keyed by order, so that each order stays in one partition; acknowledged by all replicas, idempotent producer. */
import type { Producer } from '@platformatic/kafka'
import { delivered, type Message, type Outcome, PublishError, type Publisher, type PublisherSettings, refused } from '../publisher.ts'
import { loadClient } from './client-package.ts'

export const kafkaPackages = ['@platformatic/kafka']

/** The library nests causes: the words and ids of all of them. */
function wordsOf(error: unknown, depth = 0): string {
  if (depth > 5 || typeof error !== 'object' || error === null) return ''
  const { code, apiId, message, cause, errors } = error as Record<string, unknown>
  const inner = Array.isArray(errors) ? errors : []
  return [code, apiId, message, ...[cause, ...inner].map((each) => wordsOf(each, depth + 1))].join(' ')
}
const isTooLarge = (words: string) => /MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE/.test(words)

function asPublishError(cause: unknown): PublishError {
  const words = wordsOf(cause)
  if (/AUTHENTICATION|SASL/i.test(words)) return new PublishError('credentials', 'Kafka refuses the user name or password', { cause })
  if (/AUTHORIZATION_FAILED/.test(words)) return new PublishError('credentials', 'the Kafka user may not write to this topic', { cause })
  if (/UNKNOWN_TOPIC/.test(words)) return new PublishError('misconfigured', 'the topic does not exist', { cause })
  if (/NETWORK|TIMEOUT|ECONN/.test(words)) return new PublishError('unreachable', 'Kafka does not answer', { cause })
  return new PublishError('failed', 'Kafka does not take it', { cause })
}

export function kafkaPublisher({ kafka, timeoutMs }: PublisherSettings): Publisher {
  let producer: Producer<string, string, string, string> | null = null
  const records = (messages: readonly Message[]) =>
    messages.map(({ key, id, type, body }) => ({
      topic: kafka.topic,
      key,
      value: body,
      headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8', ce_id: id, ce_type: type },
    }))
  const send = async (messages: readonly Message[]): Promise<void> => {
    await producer!.send({ messages: records(messages), acks: -1 })
  }
  return {
    async open() {
      const { Producer: KafkaProducer, stringSerializers } = await loadClient(() => import('@platformatic/kafka'), kafkaPackages)
      const { username, password } = kafka
      producer = new KafkaProducer({
        clientId: 'work-manager',
        bootstrapBrokers: [...kafka.brokers],
        serializers: stringSerializers,
        idempotent: true,
        retries: 0,
        timeout: timeoutMs,
        connectTimeout: timeoutMs,
        ...(kafka.tls ? { tls: {} } : {}),
        ...(username !== undefined && password !== undefined ? { sasl: { mechanism: 'SCRAM-SHA-256', username, password } } : {}),
      })
      try {
        await producer.metadata({ topics: [kafka.topic] })
      } catch (cause) {
        throw asPublishError(cause)
      }
    },
    async publish(messages) {
      try {
        await send(messages)
        return messages.map(() => delivered)
      } catch (cause) {
        if (!isTooLarge(wordsOf(cause))) return messages.map(() => ({ is: 'failed', error: asPublishError(cause) }))
      }
      // One of them is too large, and the broker does not say which: one by one shows it. What had arrived arrives twice.
      const outcomes: Outcome[] = []
      const blocked = new Set<string>()
      for (const message of messages) {
        const outcome: Outcome = blocked.has(message.key) ? { is: 'held' } : await alone(message)
        if (outcome.is !== 'delivered') blocked.add(message.key)
        outcomes.push(outcome)
      }
      return outcomes
    },
    async close() {
      const old = producer
      producer = null
      await old?.close(true)
    },
  }
  async function alone(message: Message): Promise<Outcome> {
    try {
      await send([message])
      return delivered
    } catch (cause) {
      return isTooLarge(wordsOf(cause)) ? refused('larger than Kafka’s max.message.bytes') : { is: 'failed', error: asPublishError(cause) }
    }
  }
}
