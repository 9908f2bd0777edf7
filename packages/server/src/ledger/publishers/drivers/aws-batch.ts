/** What SQS and SNS have in common: requests of ten messages, their limits, and the words of their refusals. */
import { inWaves } from '../in-waves.ts'
import { delivered, type Message, type Outcome, PublishError, type PublisherSettings, refused } from '../publisher.ts'

const mostEntries = 10
/** The smaller of the services' limits, for a request as for a message; accounts may have been given more, which stays unused. */
const mostBytes = 262_144
/** Attributes count, too. */
const room = 1_024

export interface BatchAnswer {
  readonly Failed?:
    | ReadonlyArray<{ Id?: string | undefined; SenderFault?: boolean | undefined; Code?: string | undefined; Message?: string | undefined }>
    | undefined
}

export function asAwsError(cause: unknown): PublishError {
  const { name = '', message = '' } = cause instanceof Error ? cause : {}
  if (/InvalidClientTokenId|SignatureDoesNotMatch|UnrecognizedClient|InvalidAccessKeyId|ExpiredToken|IncompleteSignature/.test(name))
    return new PublishError('credentials', 'AWS refuses the access key', { cause })
  if (/AccessDenied|AuthorizationError|Forbidden/.test(name))
    return new PublishError('credentials', 'the AWS identity may not do this', { cause })
  if (/CredentialsProviderError/.test(name))
    return new PublishError('credentials', 'there are no AWS credentials (AWS_ACCESS_KEY_ID, a profile or a role)', { cause })
  if (/NonExistentQueue|QueueDoesNotExist|NotFound/.test(name))
    return new PublishError('misconfigured', 'the queue or topic does not exist', { cause })
  if (/Region is missing/.test(message)) return new PublishError('misconfigured', 'set publishers.aws_region', { cause })
  if (/Throttl|OverLimit|ServiceUnavailable|InternalError/.test(name)) return new PublishError('failed', 'AWS asks to slow down', { cause })
  return new PublishError('unreachable', 'AWS does not answer', { cause })
}

export const clientOptions = ({ aws, timeoutMs }: PublisherSettings) => ({
  maxAttempts: 1,
  requestHandler: { requestTimeout: timeoutMs, connectionTimeout: timeoutMs },
  ...(aws.region === undefined ? {} : { region: aws.region }),
  ...(aws.endpoint === undefined ? {} : { endpoint: aws.endpoint }),
})

/** FIFO queues and topics take the order as message group and the event as duplicate key; others know neither. */
export const fifoMembers = (isFifo: boolean, { key, id }: Message) => (isFifo ? { MessageGroupId: key, MessageDeduplicationId: id } : {})

/** SQS takes the characters of XML 1.0 only, and emulators fewer: what JSON can say with an escape is said so; the value is the same. */
export const asAwsText = (body: string): string =>
  body.replace(/[\ud800-\udfff\ufffe\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`)

/** Splits a wave into requests and reads their answers. */
export function inRequests(
  messages: readonly Message[],
  timeoutMs: number,
  send: (request: readonly Message[]) => Promise<BatchAnswer>,
): Promise<Outcome[]> {
  return inWaves(messages, { size: mostEntries, timeoutMs }, async (wave) => {
    const outcomes = new Map<Message, Outcome>()
    let request: Message[] = []
    let bytes = 0
    const flush = async (): Promise<void> => {
      if (request.length === 0) return
      const sent = request
      ;[request, bytes] = [[], 0]
      try {
        const { Failed = [] } = await send(sent)
        for (const [n, message] of sent.entries()) {
          const failure = Failed.find(({ Id }) => Id === String(n))
          outcomes.set(message, failure ? outcomeOf(failure) : delivered)
        }
      } catch (cause) {
        for (const message of sent) outcomes.set(message, { is: 'failed', error: asAwsError(cause) })
      }
    }
    for (const message of wave) {
      const size = Buffer.byteLength(asAwsText(message.body)) + room
      if (size > mostBytes) {
        outcomes.set(message, refused(`too large: ${size - room} bytes, at most ${mostBytes - room} are taken`))
        continue
      }
      if (bytes + size > mostBytes) await flush()
      request.push(message)
      bytes += size
    }
    await flush()
    return wave.map((message) => outcomes.get(message)!)
  })
}

function outcomeOf(failure: NonNullable<BatchAnswer['Failed']>[number]): Outcome {
  const code = failure.Code ?? 'unknown'
  // AccessDenied and the like are the sender's fault as well, but not this message's.
  if (failure.SenderFault === true && /InvalidParameter|InvalidMessageContents|InvalidAttribute|TooLong|KMS\.InvalidState/.test(code))
    return refused(`AWS refuses it: ${code}`)
  return { is: 'failed', error: new PublishError('failed', `AWS does not take it: ${code}`, { cause: failure.Message }) }
}
