/** What happens to an item after a failed attempt. Pure: the random number comes in as an argument. */
export const failureClasses = ['transient', 'agent', 'permanent', 'policy'] as const
/** transient: the world was in the way. agent: this agent could not. permanent: nobody can. policy: it must not be done. */
export type FailureClass = (typeof failureClasses)[number]

export interface Backoff {
  readonly baseSeconds: number
  readonly maxSeconds: number
  /** Up to this much more, so that retries whose window is short still do not come in one wave. */
  readonly jitterSeconds: number
}

/**
 * Exponential backoff with full jitter: uniform in [0, min(max, base·2^(attempt−1)) + jitter].
 * Full jitter spreads a burst of failures best; see "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoffSeconds(attempt: number, backoff: Backoff, random: number): number {
  // Bounded, because 0 · 2^1024 is no number.
  const doublings = Math.min(52, Math.max(0, attempt - 1))
  return random * (Math.min(backoff.maxSeconds, backoff.baseSeconds * 2 ** doublings) + backoff.jitterSeconds)
}

export type AfterFailure = { readonly kind: 'retry'; readonly delaySeconds: number } | { readonly kind: 'final' }

/** What an agent says to be for good: that nobody can do it, or that nobody may. */
export const isForGood = (failure: FailureClass): boolean => failure === 'permanent' || failure === 'policy'

/**
 * What is said to be for good is final at once where the word of one is enough (`believed`); everything else when the attempts are used up.
 * `retryAfter` of the agent wins when longer.
 */
export function decideAfterFailure(
  failure: FailureClass,
  attempts: number,
  maxAttempts: number,
  backoff: Backoff,
  random: number,
  retryAfterSeconds = 0,
  believed = true,
): AfterFailure {
  if ((isForGood(failure) && believed) || attempts >= maxAttempts) return { kind: 'final' }
  return { kind: 'retry', delaySeconds: Math.max(retryAfterSeconds, backoffSeconds(attempts, backoff, random)) }
}
