/** Whether a call that failed is sent again, and after which wait. Pure but for chance and the clock, which come in as arguments. */
import type { RetryPolicy } from './call-options.ts'
import { WorkManagerConnectionError, WorkManagerError } from './errors.ts'

export type Bounds = Required<RetryPolicy>

const defaults: Bounds = { attempts: 8, totalMs: 60_000, baseMs: 250, maxMs: 10_000, on: () => true }

/** Later ones replace earlier ones, member by member; `false` is one attempt. */
export function retryBounds(...policies: readonly (RetryPolicy | false | undefined)[]): Bounds {
  let bounds = defaults
  for (const policy of policies) {
    if (policy === undefined) continue
    const given = policy === false ? { attempts: 1 } : Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined))
    bounds = { ...bounds, ...given }
  }
  return bounds
}

/**
 * Nothing was done when the server refused with these, so even a call that makes something new each time may be repeated. For all others
 * the outcome is unknown, and only a call that is safe to repeat (or carries a key) is sent again.
 */
const certainlyNotDone = new Set<string>(['rate_limited', 'busy', 'draining', 'storage_low', 'idempotency_in_progress'])

function isPassing(error: unknown, isRepeatable: boolean): error is WorkManagerError | WorkManagerConnectionError {
  if (error instanceof WorkManagerConnectionError) return isRepeatable && error.reason !== 'not_work_manager'
  if (!(error instanceof WorkManagerError)) return false
  // Answers, not failures: whoever checks out decides when to ask again, and what a person paused stays so for a while.
  if (['no_items_available', 'lease_limit_reached', 'paused'].includes(error.code)) return false
  return error.retry === 'later' && (isRepeatable || certainlyNotDone.has(error.code))
}

export interface Failed {
  readonly error: unknown
  /** From 1. */
  readonly attempt: number
  readonly elapsedMs: number
  readonly isRepeatable: boolean
}

/**
 * Milliseconds until the next attempt, or null when the error stands. The server's Retry-After counts; without one, exponential backoff
 * with full jitter. A wait that would not end in time is not begun.
 */
export function waitBeforeRepeat({ error, attempt, elapsedMs, isRepeatable }: Failed, bounds: Bounds, random: number): number | null {
  if (attempt >= bounds.attempts || !isPassing(error, isRepeatable) || !bounds.on(error)) return null
  const jitter = random * Math.min(bounds.maxMs, bounds.baseMs * 2 ** Math.min(attempt - 1, 30))
  const asked = error instanceof WorkManagerError ? error.retryAfterMs : null
  // Those who were told the same time do not come back in one wave.
  const wait = asked === null ? jitter : asked + random * bounds.baseMs
  return elapsedMs + wait > bounds.totalMs ? null : wait
}
