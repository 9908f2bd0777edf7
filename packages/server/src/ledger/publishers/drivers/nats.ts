/** JetStream: each message acknowledged by the stream, its id as the stream's duplicate key, subject `<prefix>.<kind>`. */
import type { JetStreamClient } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { inWaves } from '../in-waves.ts'
import { contentType, delivered, type Outcome, PublishError, type Publisher, type PublisherSettings, refused } from '../publisher.ts'
import { loadClient } from './client-package.ts'

export const natsPackages = ['@nats-io/transport-node', '@nats-io/jetstream']
const waveSize = 256
/** The stream's own limit on a message. */
const tooLargeForStream = 10054

function asPublishError(cause: unknown): PublishError {
  const { name = '', message = '' } = cause instanceof Error ? cause : {}
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause.name : ''
  const text = `${name} ${inner} ${message}`
  if (/Authorization|UserAuthenticationExpired/i.test(text))
    return new PublishError('credentials', 'NATS refuses the user name, password or token', { cause })
  if (/PermissionViolation/i.test(text)) return new PublishError('credentials', 'the NATS user may not publish to this subject', { cause })
  if (/JetStreamNotEnabled|NoResponders/.test(text))
    return new PublishError('misconfigured', 'this NATS server runs without JetStream', { cause })
  if (/JetStreamApiError/.test(name)) return new PublishError('failed', `the stream does not take it: ${message}`, { cause })
  return new PublishError('unreachable', 'NATS does not answer', { cause })
}

export function natsPublisher({ nats, timeoutMs }: PublisherSettings): Publisher {
  let connection: NatsConnection | null = null
  let stream: JetStreamClient | null = null

  return {
    async open() {
      const { connect } = await loadClient(() => import('@nats-io/transport-node'), natsPackages)
      const { jetstream, jetstreamManager, JetStreamApiError } = await loadClient(() => import('@nats-io/jetstream'), natsPackages)
      const url = new URL(nats.url)
      const [user, pass] = [url.username, url.password].map(decodeURIComponent)
      try {
        connection = await connect({
          servers: `${url.protocol}//${url.host}`,
          name: 'work-manager publisher',
          timeout: timeoutMs,
          reconnect: false,
          ...(user && pass ? { user, pass } : user ? { token: user } : {}),
          ...(url.protocol === 'tls:' ? { tls: {} } : {}),
        })
        const manager = await jetstreamManager(connection, { timeout: timeoutMs })
        const wanted = { name: nats.stream, subjects: [`${nats.subject}.>`] }
        await manager.streams.info(nats.stream).catch((error: unknown) => {
          if (!(error instanceof JetStreamApiError) || error.status !== 404) throw error
          if (nats.createStream) return manager.streams.add(wanted)
          throw new PublishError(
            'misconfigured',
            `the stream ${nats.stream} does not exist; create it with the subjects ${nats.subject}.> or set publishers.nats_create_stream`,
          )
        })
        stream = jetstream(connection, { timeout: timeoutMs })
      } catch (cause) {
        throw cause instanceof PublishError ? cause : asPublishError(cause)
      }
    },
    publish(messages) {
      const js = stream!
      const limit = connection!.info?.max_payload ?? 1024 * 1024
      return inWaves(messages, { size: waveSize, timeoutMs }, async (wave) => {
        const { headers } = await import('@nats-io/transport-node')
        return Promise.all(
          wave.map(async ({ id, kind, body }): Promise<Outcome> => {
            const data = Buffer.from(body)
            // The server would close the connection; some room for headers.
            if (data.length > limit - 1024)
              return refused(`too large for the NATS server: ${data.length} bytes, its max_payload is ${limit}`)
            const extra = headers()
            extra.set('Content-Type', contentType)
            try {
              await js.publish(`${nats.subject}.${kind}`, data, { msgID: id, timeout: timeoutMs, headers: extra })
              return delivered
            } catch (error) {
              if (error instanceof Error && 'code' in error && error.code === tooLargeForStream)
                return refused(`too large for the stream: ${data.length} bytes, more than its max_msg_size`)
              // The library's word for "nobody listens on the subject"; that there is JetStream at all was seen at opening.
              if (error instanceof Error && /JetStreamNotEnabled|NoResponders/.test(error.name))
                return { is: 'failed', error: new PublishError('misconfigured', 'no JetStream stream takes the subject', { cause: error }) }
              return { is: 'failed', error: asPublishError(error) }
            }
          }),
        )
      })
    },
    async close() {
      const old = connection
      connection = null
      stream = null
      await old?.close()
    },
  }
}
