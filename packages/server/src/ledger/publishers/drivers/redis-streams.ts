/** XADD to a stream, one MULTI per batch: all of it arrives, in order, or nothing does. */
import { createClient, MultiErrorReply } from 'redis'
import { delivered, type Message, type Outcome, PublishError, type Publisher, type PublisherSettings } from '../publisher.ts'

function asPublishError(cause: unknown): PublishError {
  // A MULTI that failed inside brings the answer to each command.
  const inner = cause instanceof MultiErrorReply ? [...cause.errors()].join(' ') : ''
  const text = `${cause instanceof Error ? `${cause.name} ${cause.message}` : String(cause)} ${inner}`
  if (/WRONGPASS|NOAUTH|invalid username-password|AUTH failed|called without any password/i.test(text))
    return new PublishError('credentials', 'Redis refuses the user name or password', { cause })
  if (/NOPERM/.test(text))
    return new PublishError('credentials', 'the Redis user may not do this; it needs XADD on the stream, MULTI and CONFIG GET', { cause })
  if (/WRONGTYPE/.test(text)) return new PublishError('misconfigured', 'the key of the stream holds something else', { cause })
  if (/OOM/.test(text)) return new PublishError('failed', 'Redis is out of memory', { cause })
  if (/READONLY/.test(text)) return new PublishError('misconfigured', 'this Redis is a replica and takes no writes', { cause })
  return new PublishError('unreachable', 'Redis does not answer', { cause })
}

export function redisStreamsPublisher({ redis, timeoutMs }: PublisherSettings): Publisher {
  const client = createClient({
    url: redis.url,
    name: 'work-manager-publisher',
    disableOfflineQueue: true,
    socket: { connectTimeout: timeoutMs, reconnectStrategy: false },
  })
  // Without a listener a lost connection would end the process; the next batch fails and says so.
  client.on('error', () => {})
  const fields = ({ id, type, key, body }: Message) => ({ id, type, key, event: body })
  return {
    async open() {
      let policy: string | undefined
      try {
        await client.connect()
        policy = await client.configGet('maxmemory-policy').then(
          (answer) => answer['maxmemory-policy'],
          (error: unknown) => {
            // Managed servers forbid CONFIG; then only their operator can know.
            if (/NOPERM|unknown command/i.test(String(error))) return undefined
            throw error
          },
        )
      } catch (cause) {
        throw asPublishError(cause)
      }
      if (policy?.startsWith('allkeys-'))
        throw new PublishError(
          'misconfigured',
          `Redis has maxmemory-policy ${policy} and would throw the stream away under memory pressure; set it to noeviction: redis-cli config set maxmemory-policy noeviction`,
        )
    },
    async publish(messages: readonly Message[]): Promise<readonly Outcome[]> {
      try {
        const batch = client.multi()
        for (const message of messages) batch.xAdd(redis.stream, '*', fields(message))
        await batch.exec()
        return messages.map(() => delivered)
      } catch (cause) {
        return messages.map(() => ({ is: 'failed', error: asPublishError(cause) }))
      }
    },
    async close() {
      if (client.isOpen) client.destroy()
    },
  }
}
