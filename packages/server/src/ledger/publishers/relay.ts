/**
 * Carries the ledger to one receiver: takes a tenant's cursor for some seconds, reads what comes next, hands it over, writes down what
 * became of it. No transaction is open while the receiver is asked. At least once, and of each order in the order of the ledger: what is
 * not written down (kill -9, a lost answer) is sent again by whoever takes the cursor next.
 */
import type { Logger } from 'pino'
import { backoffSeconds } from '../../kernel/retry.ts'
import type { Metrics } from '../../metrics/metrics.ts'
import {
  type Cursor,
  ensureCursors,
  measureLag,
  readEvents,
  readEventsToRetry,
  readTries,
  settleCursor,
  takeCursor,
  writePublisherState,
} from './cursors.store.ts'
import { PageBudget } from '../../kernel/store/page-budget.ts'
import type { SystemDb } from '../../kernel/store/tx.ts'
import { toMessage } from './cloud-event.ts'
import { judgeBatch, type Sent } from './judge-batch.ts'
import { asPublishError, type Message, type Outcome, PublishError, type Publisher } from './publisher.ts'
import { withinLimit } from './time-limit.ts'

export interface RelaySettings {
  readonly name: string
  /** CloudEvents `source`. */
  readonly source: string
  readonly kinds: readonly string[]
  readonly batchSize: number
  /** How often a message may be refused before it is parked. */
  readonly maxTries: number
  readonly timeoutMs: number
  /** Pauses after failures: full jitter up to `baseMs` doubled each time, at most `mostMs`. */
  readonly backoff?: { readonly baseMs: number; readonly mostMs: number }
}

export interface Relay {
  /** One batch of one tenant. */
  run(): Promise<{ done: number; more: boolean }>
  /** Lets a batch under way end for a moment, then closes the connection. */
  stop(): Promise<void>
}

/** How far one look goes in the ledger, so that a filter which lets little through cannot make it long. */
const window = 5_000
/** Also how long a new tenant may wait for its cursor while others keep the publisher busy. */
const lagEveryMs = 2_000
const graceMs = 2_000

export function createRelay(
  create: () => Publisher,
  settings: RelaySettings,
  tools: { readonly system: SystemDb; readonly metrics: Metrics; readonly log: Logger },
): Relay {
  const { name, timeoutMs, backoff = { baseMs: 250, mostMs: 30_000 } } = settings
  const { system, metrics } = tools
  const pauses = { baseSeconds: backoff.baseMs / 1000, maxSeconds: backoff.mostMs / 1000, jitterSeconds: 0 }
  const pauseMs = (failed: number): number => 1000 * backoffSeconds(failed, pauses, Math.random())
  const log = tools.log.child({ component: 'publisher', publisher: name })
  // One call may end a wave late: a driver begins none after timeoutMs, and each may take as long.
  const callLimitMs = 2 * timeoutMs + 1_000
  const leaseMs = 2 * callLimitMs + 10_000
  let publisher: Publisher | null = null
  let stopping = new AbortController()
  let running: Promise<unknown> = Promise.resolve()
  let failures = 0
  let restUntil = 0
  let measuredAt = Number.NEGATIVE_INFINITY
  let said: string | null = null
  let broken: 'opening' | 'publishing' | null = null

  async function tellState(error: PublishError | null): Promise<void> {
    const sentence = error === null ? '' : `${error.code}: ${error.message}`
    if (sentence === said) return
    if (error)
      log.warn({ code: error.code, reason: reasonOf(error) }, `publishing to ${name} fails: ${error.message}; events wait in the ledger`)
    else log.info(said === null ? `${name} takes messages` : `${name} takes messages again`)
    await writePublisherState(system, name, error)
    said = sentence
  }

  async function drop(): Promise<void> {
    const old = publisher
    publisher = null
    await old?.close().catch(() => {})
  }

  async function failed(error: PublishError, during: 'opening' | 'publishing'): Promise<void> {
    broken = during
    metrics.increment('publisher_failures_total', { publisher: name })
    restUntil = performance.now() + pauseMs(++failures)
    await drop()
    await tellState(error)
  }

  async function opened(): Promise<Publisher | null> {
    if (publisher) return publisher
    const made = create()
    const opening = made.open()
    try {
      await withinLimit(opening, callLimitMs, 'the receiver', stopping.signal)
      publisher = made
      // A receiver that takes connections and no messages is well again only when it has taken one.
      if (broken !== 'publishing') await tellState(null)
      return made
    } catch (error) {
      // A client may try until it is closed (Kafka's does), or still succeed, unheard: closed now, and once more when it has ended.
      const close = () => made.close()
      close().catch(() => {})
      opening.then(close, close).catch(() => {})
      await failed(asPublishError(error), 'opening')
      return null
    }
  }

  async function handOver(to: Publisher, messages: readonly Message[]): Promise<readonly Outcome[]> {
    if (messages.length === 0) return []
    try {
      return await withinLimit(to.publish(messages), callLimitMs, 'the receiver', stopping.signal)
    } catch (error) {
      return messages.map(() => ({ is: 'failed', error: asPublishError(error) }))
    }
  }

  async function serve(to: Publisher, cursor: Cursor): Promise<{ done: number; more: boolean }> {
    const { tenantId } = cursor
    const through = Math.min(cursor.head, cursor.seq + window)
    // In bytes too: a change of a megabyte is one event.
    const { rows: again } = await new PageBudget().page(system, settings.batchSize, (q) =>
      readEventsToRetry(q, tenantId, name, settings.batchSize + 1),
    )
    const { rows: next, more } = await new PageBudget().page(system, settings.batchSize, (q) =>
      readEvents(q, tenantId, {
        kinds: settings.kinds,
        after: cursor.seq,
        through,
        ahead: [...cursor.ahead, ...again.map(({ seq }) => seq)],
        limit: settings.batchSize + 1,
      }),
    )
    const send = async (events: typeof next): Promise<Sent[]> => {
      const outcomes = await handOver(
        to,
        events.map((event) => toMessage(tenantId, settings.source, event)),
      )
      return events.map((event, n) => ({ event, outcome: outcomes[n]! }))
    }
    const retried = await send(again)
    const sent = retried.some(({ outcome }) => outcome.is === 'failed') ? [] : await send(next)
    const refusedSeqs = [...retried, ...sent].flatMap(({ event, outcome }) => (outcome.is === 'refused' ? [event.seq] : []))
    const tries = refusedSeqs.length > 0 ? await readTries(system, tenantId, name, refusedSeqs) : new Map<number, number>()
    const verdict = judgeBatch({
      cursor,
      retried,
      sent,
      tries,
      maxTries: settings.maxTries,
      // Everything of the window was read: what the filter left out is passed over as well.
      through: !more && (sent.length > 0 || next.length === 0) ? through : null,
    })
    const { delivered, parked, error } = verdict
    const waits = verdict.settlement.failures > 0
    const kept = await settleCursor(system, name, cursor, {
      ...verdict.settlement,
      retryInMs: waits ? pauseMs(verdict.settlement.failures) : null,
    })
    if (!kept) log.warn({ tenant: tenantId }, 'another process or a person moved the cursor meanwhile; messages may arrive twice')
    if (delivered > 0) {
      metrics.increment('publisher_published_total', { publisher: name }, delivered)
      failures = 0
      if (error === null) {
        broken = null
        await tellState(null)
      }
    }
    if (kept && parked.length > 0) {
      metrics.increment('publisher_parked_total', { publisher: name }, parked.length)
      for (const { event, reason } of parked)
        log.warn({ tenant: tenantId, seq: event.seq, kind: event.kind, reason }, 'a message was parked')
    }
    if (error !== null) await failed(error, 'publishing')
    // A cursor that was taken for nothing is no reason to take it again at once.
    const moved = again.length + next.length > 0 || verdict.settlement.seq > cursor.seq
    return { done: delivered, more: moved && !stopping.signal.aborted }
  }

  async function pass(): Promise<{ done: number; more: boolean }> {
    const nothing = { done: 0, more: false }
    if (performance.now() - measuredAt >= lagEveryMs) {
      measuredAt = performance.now()
      await ensureCursors(system, name)
      metrics.set('publisher_lag_facts', { publisher: name }, await measureLag(system, name))
    }
    if (performance.now() < restUntil) return nothing
    const to = await opened()
    if (to === null) return nothing
    let cursor = await takeCursor(system, name, leaseMs)
    if (cursor === undefined) {
      // Before it is said that nothing waits: a tenant whose first event has come since has no cursor yet.
      await ensureCursors(system, name)
      cursor = await takeCursor(system, name, leaseMs)
    }
    if (cursor === undefined) return nothing
    return serve(to, cursor)
  }

  return {
    async run() {
      if (stopping.signal.aborted) return { done: 0, more: false }
      const now = pass()
      running = now.catch(() => {})
      return now
    },
    async stop() {
      const timer = setTimeout(() => stopping.abort(), graceMs)
      await running
      clearTimeout(timer)
      stopping.abort()
      await drop()
      stopping = new AbortController()
    },
  }
}

/** For the log of whoever runs the server: the words of the client library. */
function reasonOf(error: PublishError): string | undefined {
  const { cause } = error
  if (cause === undefined) return undefined
  return cause instanceof Error ? cause.message || cause.name : typeof cause === 'string' ? cause : undefined
}
