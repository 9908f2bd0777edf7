/** A durable topic exchange; persistent messages, confirmed by the broker; routing key = kind. Messages without a route come back. */
import type { ChannelModel, ConfirmChannel } from 'amqplib'
import { inWaves } from '../in-waves.ts'
import {
  contentType,
  delivered,
  type Message,
  type Outcome,
  PublishError,
  type Publisher,
  type PublisherSettings,
  refused,
} from '../publisher.ts'
import { loadClient } from './client-package.ts'

export const rabbitmqPackages = ['amqplib']
const waveSize = 256

function asPublishError(cause: unknown): PublishError {
  const text = cause instanceof Error ? cause.message : String(cause)
  if (/Handshake terminated by server: 403|Login was refused/i.test(text))
    return new PublishError('credentials', 'RabbitMQ refuses the user name or password', { cause })
  if (/ACCESS.REFUSED/i.test(text))
    return new PublishError('credentials', 'the RabbitMQ user may not use this exchange or virtual host', { cause })
  if (/PRECONDITION.FAILED.*exchange/i.test(text))
    return new PublishError('misconfigured', 'the exchange exists, but not as a durable topic exchange', { cause })
  if (/Expected ConnectionOpenOk|NOT_ALLOWED|vhost/i.test(text))
    return new PublishError('misconfigured', 'the virtual host does not exist or is closed to the user', { cause })
  return new PublishError('unreachable', 'RabbitMQ does not answer', { cause })
}

/** The broker closes the channel on a message that is too large, and names its size. */
const refusedSize = (error: Error | null): number | null => {
  const found = error && /message size (\d+) is larger/i.exec(error.message)
  return found ? Number(found[1]) : null
}

export function rabbitmqPublisher({ rabbitmq, timeoutMs }: PublisherSettings): Publisher {
  let model: ChannelModel | null = null
  let channel: ConfirmChannel | null = null
  const returned = new Set<string>()
  let closedBecause: Error | null = null

  async function openChannel(): Promise<ConfirmChannel> {
    if (model === null) throw closedBecause ?? new Error('the connection is closed')
    const made = await model.createConfirmChannel()
    closedBecause = null
    // An error closes the channel; what waits for a confirmation is then told so.
    made.on('error', (error) => {
      closedBecause = error
      channel = null
    })
    // A message without a route comes back before it is confirmed.
    made.on('return', (message) => returned.add(message.properties.messageId as string))
    channel = made
    return made
  }

  /** Resolves when the broker has answered for the message, whatever the answer. */
  const send = (to: ConfirmChannel, { id, kind, type, body }: Message): Promise<Outcome> =>
    new Promise((resolve) => {
      const content = Buffer.from(body)
      const answered = (error: unknown) => {
        if (returned.delete(id)) resolve(refused(`no queue takes the routing key ${kind}: bind one to the exchange ${rabbitmq.exchange}`))
        else if (error === null || error === undefined) resolve(delivered)
        else if (refusedSize(closedBecause) === content.length)
          resolve(refused(`larger than RabbitMQ’s max_message_size: ${content.length} bytes`))
        else if (closedBecause || channel !== to) resolve({ is: 'failed', error: asPublishError(closedBecause ?? error) })
        else resolve({ is: 'failed', error: new PublishError('failed', 'a queue of RabbitMQ refuses it (full?)', { cause: error }) })
      }
      try {
        to.publish(
          rabbitmq.exchange,
          kind,
          content,
          { persistent: true, mandatory: rabbitmq.mandatory, messageId: id, type, contentType, appId: 'work-manager' },
          answered,
        )
      } catch (error) {
        answered(error)
      }
    })

  return {
    async open() {
      const amqp = await loadClient(() => import('amqplib'), rabbitmqPackages)
      try {
        model = await amqp.connect(rabbitmq.url, { timeout: timeoutMs, clientProperties: { connection_name: 'work-manager publisher' } })
        // Without a listener a lost connection would end the process.
        model.on('error', (error) => (closedBecause = error))
        model.on('close', () => ([model, channel] = [null, null]))
        await (await openChannel()).assertExchange(rabbitmq.exchange, 'topic', { durable: true })
      } catch (cause) {
        throw asPublishError(cause)
      }
    },
    publish(messages) {
      return inWaves(messages, { size: waveSize, timeoutMs }, async (wave) => {
        const open = async () => channel ?? (await openChannel())
        try {
          const to = await open()
          const outcomes = await Promise.all(wave.map((message) => send(to, message)))
          // With the channel went the answers to the neighbours of a message that is too large: one by one they are told apart.
          if (refusedSize(closedBecause) === null) return outcomes
          const alone: Outcome[] = []
          for (const [n, message] of wave.entries())
            alone.push(outcomes[n]!.is === 'failed' ? await send(await open(), message) : outcomes[n]!)
          return alone
        } catch (cause) {
          throw asPublishError(cause)
        }
      })
    },
    async close() {
      const old = model
      model = null
      channel = null
      // A broker that does not answer would keep a polite close waiting: the socket is ended at once.
      const { stream } = (old?.connection ?? {}) as { stream?: { destroy(): void } }
      if (stream) stream.destroy()
      else await old?.close()
    },
  }
}
