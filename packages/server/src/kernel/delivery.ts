/**
 * One loop for everything that leaves by a call to the outside (effects, later webhooks and notifications), whose row was written in the
 * transaction of its cause: take it for some seconds, call within a limit, keep the receipt. At least once with the same key; when the
 * outcome of a call is not known and the receiver does not ignore repeats, the delivery becomes `unknown` and is shown to people instead
 * of being repeated. Why not a job queue from npm: docs/decisions/0019.
 */
import type { Logger } from 'pino'
import { type Backoff, backoffSeconds } from './retry.ts'
import { type ServiceDefinition, sweep } from './service.ts'
import { within } from './time-limit.ts'

/** A delivery that is held: this attempt of it is ours until the hold runs out. */
export interface HeldDelivery {
  readonly id: string
  /** This one included. */
  readonly attempts: number
  /** The receiver ignores a repeat with the same key. */
  readonly deduplicates: boolean
}

export interface DeliveryError {
  readonly message: string
  readonly attempt: number
}
export type DeliveryOutcome =
  | { readonly state: 'delivered'; readonly receipt: unknown }
  | { readonly state: 'pending'; readonly error: DeliveryError; readonly retryInSeconds: number }
  | { readonly state: 'unknown'; readonly error: DeliveryError }

/** What a kind of delivery brings: its rows, its call, and what it writes down. `A`: how a due row is found; `D`: what is held of it. */
export interface DeliveryKind<A, D extends HeldDelivery> {
  /** The service's name. */
  readonly name: string
  readonly everyMs: number
  readonly wakeOn: readonly string[]
  readonly timeoutMs: number
  readonly backoff: Backoff
  readonly batch: number
  findDue(limit: number): Promise<readonly A[]>
  /** Held rows whose holder vanished, where a repeat could do harm. */
  findLost(limit: number): Promise<readonly A[]>
  /** Undefined when somebody else has it, or when it may not go out now. */
  take(address: A): Promise<D | undefined>
  /** Marks a lost one `unknown` and records it; false when its holder came back in time. */
  markLost(address: A): Promise<boolean>
  /** The call itself, outside every transaction; its value is the receipt. */
  call(delivery: D, signal: AbortSignal): Promise<unknown>
  /** Writes the outcome and its event in one transaction, guarded by the attempt. */
  settle(delivery: D, outcome: DeliveryOutcome): Promise<void>
  /** In messages and in the log: `the effect 'notify'`. */
  title(delivery: D): string
  /** After a round that did something. */
  afterwards(): void
}

/** Thrown by a call to say that it certainly did nothing, so that repeating it is safe. */
export const nothingHappened = (message: string): Error => Object.assign(new Error(message), { outcome: 'nothing_happened' })
const certainlyNothing = (error: unknown): boolean => error instanceof Error && 'outcome' in error && error.outcome === 'nothing_happened'

const longestMessage = 1_000

function outcomeOf(delivery: HeldDelivery, cause: unknown, backoff: Backoff): DeliveryOutcome {
  const message = (cause instanceof Error ? cause.message : String(cause)).slice(0, longestMessage)
  const error = { message, attempt: delivery.attempts }
  if (!delivery.deduplicates && !certainlyNothing(cause)) return { state: 'unknown', error }
  return { state: 'pending', error, retryInSeconds: backoffSeconds(delivery.attempts, backoff, Math.random()) }
}

export function deliveryService<A, D extends HeldDelivery>(kind: DeliveryKind<A, D>, tools: { readonly log: Logger }): ServiceDefinition {
  const { name, everyMs, wakeOn, batch, timeoutMs, backoff } = kind

  async function attempt(delivery: D): Promise<DeliveryOutcome> {
    try {
      return { state: 'delivered', receipt: await within(kind.title(delivery), timeoutMs, (signal) => kind.call(delivery, signal)) }
    } catch (cause) {
      tools.log.warn({ err: cause, id: delivery.id, attempt: delivery.attempts }, `${kind.title(delivery)} could not be delivered`)
      return outcomeOf(delivery, cause, backoff)
    }
  }

  return {
    name,
    everyMs,
    wakeOn,
    async run(round) {
      const lost = await kind.findLost(batch)
      let done = await sweep(lost, { log: tools.log, round }, (address) => kind.markLost(address))
      const due = await kind.findDue(batch)
      done += await sweep(due, { log: tools.log, round }, async (address) => {
        const delivery = await kind.take(address)
        if (delivery) await kind.settle(delivery, await attempt(delivery))
        return delivery !== undefined
      })
      if (done > 0) kind.afterwards()
      return { done, more: done >= batch }
    },
  }
}
