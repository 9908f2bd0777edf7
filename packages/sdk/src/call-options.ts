/** What a caller may say about one call, and about repeating calls. */
import type { WorkManagerConnectionError, WorkManagerError } from './errors.ts'

export interface RetryPolicy {
  /** How often a call is sent at most (default 8; 1 never repeats). */
  readonly attempts?: number
  /** How long a call may take with all its repeats (default 60 000 ms). */
  readonly totalMs?: number
  /** Without Retry-After, the wait before repeat n is random up to baseMs · 2ⁿ (default 250 ms) … */
  readonly baseMs?: number
  /** … and never longer than this (default 10 000 ms). */
  readonly maxMs?: number
  /** Asked before a repeat that would make sense: false lets the error stand at once. Without it, every one of them is repeated. */
  readonly on?: (error: WorkManagerError | WorkManagerConnectionError) => boolean
}

export interface CallOptions {
  /** Ends the call, its repeats and the waits between them; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** How long one attempt may take before it counts as lost (default 30 s, and the `wait` of a checkout). */
  readonly timeoutMs?: number
  /** Replaces the client's policy, member by member; false never repeats. */
  readonly retry?: RetryPolicy | false
  /** W3C trace context that the call belongs to. Without one, a call on a leased item belongs to the trace of its order. */
  readonly traceparent?: string | null | undefined
  /** Your name for the story that the call belongs to (X-Correlation-ID): what it begins carries it, and `listEvents` finds all of it. */
  readonly correlationId?: string | null | undefined
  /** Your session (X-Session-Key): kept with what the call begins. */
  readonly sessionKey?: string | null | undefined
}

export interface KeyedCallOptions extends CallOptions {
  /** A key of your own, for a call that you want to be able to repeat yourself. Without one each call gets a new UUID, kept for its repeats. */
  readonly idempotencyKey?: string
}

/** An answer with what stands around it, for those who need more than the output. */
export interface Answer<Output> {
  readonly output: Output
  /** 202 from `approve_order`, say, when the changes are still being applied. */
  readonly status: number
  /** True when the same idempotency key was answered before: nothing was done again. */
  readonly isReplayed: boolean
  /** Name it to whoever runs the server: its log knows it. */
  readonly requestId: string | null
}
