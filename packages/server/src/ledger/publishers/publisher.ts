/**
 * What a publisher is: it carries events of the ledger to one other system. A driver opens a connection, hands a batch over and says of
 * each message what became of it; cursors, order, repetition, parking and time limits belong to the relay.
 */

/** An event as a CloudEvent, rendered once: every delivery of it has the same bytes. */
export interface Message {
  readonly tenantId: string
  readonly seq: number
  /** Id of the event; receivers drop duplicates by it. */
  readonly id: string
  readonly kind: string
  /** `dev.workmanager.order.approved.v1` */
  readonly type: string
  /** The order, or the tenant for events without one: messages of one key arrive in the order of the ledger. */
  readonly key: string
  /** The CloudEvent in structured JSON. */
  readonly body: string
}

export const contentType = 'application/cloudevents+json; charset=UTF-8'

/**
 * delivered: the receiver has confirmed it. refused: the receiver refuses this message for itself (too large, no route); it is tried a
 * few times, then parked. failed: not known to have arrived; it is sent again for as long as it takes. held: not sent, because something
 * before it did not arrive.
 */
export type Outcome =
  | { readonly is: 'delivered' }
  | { readonly is: 'refused'; readonly reason: string }
  | { readonly is: 'failed'; readonly error: PublishError }
  | { readonly is: 'held' }

export const delivered: Outcome = { is: 'delivered' }
export const refused = (reason: string): Outcome => ({ is: 'refused', reason })
export const held: Outcome = { is: 'held' }

/** unreachable: no answer. credentials: it does not let us in. misconfigured: it answers, but cannot be used as it is. failed: anything else. */
export type PublishErrorCode = 'unreachable' | 'credentials' | 'misconfigured' | 'failed'

/** Why nothing could be handed over. The message is shown to people of every tenant: no addresses, no secrets; those stay in `cause`. */
export class PublishError extends Error {
  readonly code: PublishErrorCode
  constructor(code: PublishErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PublishError'
    this.code = code
  }
}

export interface Publisher {
  /** Connects and checks that the receiver can take messages. Refuses with: PublishError. */
  open(): Promise<void>
  /**
   * Hands the messages over and answers in their order. A message of a key is sent only when the one before it is confirmed, so that
   * whatever breaks off, nobody sees the later one first.
   */
  publish(messages: readonly Message[]): Promise<readonly Outcome[]>
  /** Lets go of the connection at once, whatever is under way. */
  close(): Promise<void>
}

/** Everything that drivers are set up with, from the section `publishers` of the configuration. */
export interface PublisherSettings {
  /** Limit of each call to a receiver. */
  readonly timeoutMs: number
  readonly file: { readonly path: string }
  readonly redis: { readonly url: string; readonly stream: string }
  readonly nats: { readonly url: string; readonly subject: string; readonly stream: string; readonly createStream: boolean }
  readonly rabbitmq: { readonly url: string; readonly exchange: string; readonly mandatory: boolean }
  readonly kafka: {
    readonly brokers: readonly string[]
    readonly topic: string
    readonly tls: boolean
    readonly username: string | undefined
    readonly password: string | undefined
  }
  readonly sqs: { readonly queueUrl: string }
  readonly sns: { readonly topicArn: string }
  readonly aws: { readonly region: string | undefined; readonly endpoint: string | undefined }
}

/** Whatever a driver throws, as the error that says what is known: that the receiver did not take it. */
export const asPublishError = (error: unknown): PublishError =>
  error instanceof PublishError ? error : new PublishError('failed', 'the receiver did not take it', { cause: error })
