/**
 * Gives committed events their number and their place in the hash chain (migrations/routines/30_numbering.sql), and counts them. Any
 * number of processes may do it: each takes the tenants that no other is numbering just now.
 */
import { WorkError } from '@work-manager/contract'
import type { Logger } from 'pino'
import { countEvents } from '../metrics/from-events.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { numberPass, numberTenant, type NumberingFailure, type NumberingPass, tenantsWithNews } from './store.ts'
import type { SystemDb } from '../kernel/store/tx.ts'

/** Small enough to keep its transaction at some tens of milliseconds. */
const batch = 500
/** A reader waits for it, so it should be over soon, and the next one waits too. */
const readersBatch = 2000
/** So long a reader takes part in a backlog; what it has numbered stays, so the next one goes on from there. */
const readersPatienceMs = 3000
/**
 * Between two passes that emptied the intake. Woken by every commit, a pass per commit would cost the hot path more in commits of its
 * own than it gives: at 32 clients a pass now takes some 60 events instead of 5.
 */
const restMs = 20
/** A tenant whose events cannot be numbered is tried again after a second, then after twice as long each time, up to a minute. */
const longestPauseMs = 60_000

/** The database itself: no tenant's fault. */
const isGone = (error: unknown): boolean => error instanceof WorkError && error.code === 'database_unavailable'

export interface Sequencer {
  /** One pass over the tenants with news. */
  run(): Promise<{ done: number; more: boolean }>
  /** Passes until nothing is left that can be numbered. */
  sweep(): Promise<number>
  /**
   * Resolves once every event that the tenant had committed, up to this row of the intake, has its number.
   * Refuses with: record_behind.
   */
  catchUp(tenantId: string, newest: string): Promise<void>
}

interface Turn {
  running: Promise<void>
  /** Who came while it was running; it may not have seen what they committed. */
  next: { newest: bigint; done: Promise<void> } | null
}

export function createSequencer(
  system: SystemDb,
  metrics: Metrics,
  tools: { readonly log?: Pick<Logger, 'error'>; readonly now?: () => number; readonly onNumbered?: () => void } = {},
): Sequencer {
  const now = tools.now ?? (() => performance.now())
  let last: string | null = null
  let restUntil = 0
  const stuck = new Map<string, { failures: number; until: number }>()
  const turns = new Map<string, Turn>()

  /** After the commit: what is counted has its number, and nothing is counted twice. */
  const settle = ({ done, counts }: Pick<NumberingPass, 'done' | 'counts'>): void => {
    if (counts) countEvents(metrics, counts)
    if (done > 0) tools.onNumbered?.()
  }

  const noteFailure = ({ tenant_id: tenantId, code, message }: NumberingFailure): void => {
    const failures = (stuck.get(tenantId)?.failures ?? 0) + 1
    stuck.set(tenantId, { failures, until: now() + Math.min(longestPauseMs, 1000 * 2 ** (failures - 1)) })
    metrics.increment('numbering_failures_total', {})
    tools.log?.error(
      { tenantId, code, reason: message, failures },
      "the tenant's newest events cannot be numbered; its record stands still, other tenants go on",
    )
  }

  /** When a pass as a whole came to nothing (the time limit): each tenant in a transaction of its own. */
  async function oneByOne(without: readonly string[]): Promise<NumberingPass> {
    const most = 50
    const tenants = await tenantsWithNews(system, { after: last, without, most })
    let done = 0
    let more = tenants.length === most
    const failed: NumberingFailure[] = []
    for (const tenantId of tenants) {
      try {
        const numbered = await numberTenant(system, tenantId, batch)
        settle(numbered)
        done += numbered.done
        more ||= numbered.more
      } catch (error) {
        if (isGone(error)) throw error
        failed.push({ tenant_id: tenantId, code: error instanceof WorkError ? error.code : 'internal', message: (error as Error).message })
      }
    }
    return { done, more, counts: null, failed, last: tenants.length === most ? tenants.at(-1)! : null }
  }

  async function pass(): Promise<{ done: number; more: boolean }> {
    const without = [...stuck].filter(([, { until }]) => until > now()).map(([tenantId]) => tenantId)
    const after = last
    let outcome: NumberingPass
    try {
      outcome = await numberPass(system, { limit: batch, after, without })
      settle(outcome)
    } catch (error) {
      if (isGone(error)) throw error
      outcome = await oneByOne(without)
    }
    last = outcome.last
    const failed = outcome.failed ?? []
    for (const failure of failed) noteFailure(failure)
    // One that this pass did not come to stays as it is, and so does its next pause.
    const cameTo = (tenantId: string) => (after === null || tenantId > after) && (last === null || tenantId <= last)
    for (const tenantId of stuck.keys())
      if (cameTo(tenantId) && !without.includes(tenantId) && !failed.some((failure) => failure.tenant_id === tenantId))
        stuck.delete(tenantId)
    // A pass that came to the end of the list has not looked at its beginning.
    return { done: outcome.done, more: outcome.more || after !== null }
  }

  async function numberUpTo(tenantId: string, newest: bigint): Promise<void> {
    const end = now() + readersPatienceMs
    try {
      for (;;) {
        const numbered = await numberTenant(system, tenantId, readersBatch)
        settle(numbered)
        if (!numbered.more || BigInt(numbered.reached!) >= newest) return
        if (now() >= end) throw new Error(`more waits for its number than ${readersPatienceMs} ms are enough for`)
      }
    } catch (error) {
      throw new WorkError('record_behind', { retryAfterSeconds: 2 }, { cause: error })
    }
  }

  function begin(tenantId: string, newest: bigint): Promise<void> {
    const running = numberUpTo(tenantId, newest)
    const turn: Turn = { running, next: null }
    turns.set(tenantId, turn)
    const over = () => {
      const { next } = turn
      if (!next && turns.get(tenantId) === turn) turns.delete(tenantId)
    }
    running.then(over, over)
    return running
  }

  return {
    async run() {
      const rest = restUntil - performance.now()
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest))
      const startedAt = performance.now()
      const { done, more } = await pass()
      const endedAt = performance.now()
      // Twice as long as the pass took, at least: a snapshot that somebody holds keeps numbered rows in the way of every pass, and numbering
      // should not take more than a third of a processor for it.
      restUntil = done > 0 && !more ? endedAt + Math.max(restMs, 2 * (endedAt - startedAt)) : 0
      return { done, more }
    },
    async sweep() {
      let total = 0
      for (;;) {
        const { done, more } = await pass()
        total += done
        if (!more) return total
      }
    },
    catchUp(tenantId, newest) {
      const wanted = BigInt(newest)
      const turn = turns.get(tenantId)
      if (!turn) return begin(tenantId, wanted)
      if (turn.next) {
        if (wanted > turn.next.newest) turn.next.newest = wanted
        return turn.next.done
      }
      // Whoever runs now may have looked before this was committed: one more turn for all who come meanwhile.
      const next = { newest: wanted, done: Promise.resolve() }
      next.done = turn.running.catch(() => {}).then(() => begin(tenantId, next.newest))
      turn.next = next
      return next.done
    },
  }
}
