/** What a call can reject with: a refusal of the server, or the lack of an answer. */
import type { ErrorCode } from './generated/api.ts'

export interface FieldError {
  /** Dotted path of what is wrong. */
  readonly field: string
  readonly code: string
  readonly message: string
  readonly [other: string]: unknown
}

/** never: change the request. after_refresh: read the current state first. later: the same request may pass after a wait. */
export type RetryAdvice = 'never' | 'after_refresh' | 'later'

export interface Refusal {
  readonly operation: string
  readonly status: number
  readonly problem: Readonly<Record<string, unknown>>
  readonly requestId: string | null
  readonly retryAfterMs: number | null
  readonly idempotencyKey: string | null
}

/** The server said no. `code` is stable, `detail` says what is wrong in this case, `fix` what to do now, `errors` where. */
export class WorkManagerError<Code extends ErrorCode = ErrorCode> extends Error {
  /** The operation that was refused, such as `submit_item`. */
  readonly operation: string
  readonly code: Code
  readonly status: number
  readonly detail: string
  readonly fix: string
  readonly retry: RetryAdvice
  readonly errors: readonly FieldError[]
  /** Name it to whoever runs the server: its log has the cause. */
  readonly requestId: string | null
  /** From Retry-After; null when the server named no time. */
  readonly retryAfterMs: number | null
  /** The key that the call was sent with: the same key repeats the same call. Null where the operation takes none. */
  readonly idempotencyKey: string | null
  /** The whole problem object, with the members that only some refusals have (current_state, reason …). */
  readonly problem: Readonly<Record<string, unknown>>

  constructor({ operation, status, problem, requestId, retryAfterMs, idempotencyKey }: Refusal) {
    const detail = textOr(problem.detail, `The server answered with status ${status}.`)
    const fix = textOr(problem.fix, '')
    const code = textOr(problem.code, 'internal')
    super(`${code}: ${detail}${fix === '' ? '' : ` ${fix}`}`)
    this.name = 'WorkManagerError'
    this.operation = operation
    this.code = code as Code
    this.status = status
    this.detail = detail
    this.fix = fix
    this.retry = isAdvice(problem.retry) ? problem.retry : 'never'
    this.errors = fieldErrors(problem)
    this.requestId = requestId ?? (typeof problem.request_id === 'string' ? problem.request_id : null)
    this.retryAfterMs = retryAfterMs
    this.idempotencyKey = idempotencyKey
    this.problem = problem
  }
}

/** What came in place of an answer of Work Manager. */
export interface ForeignAnswer {
  readonly status: number
  /** Where it redirects to; nobody follows, because the key would go along. */
  readonly location: string | null
  /** How whoever answered names itself or its content. */
  readonly by: string
}

/**
 * There is no answer that could be believed. unreachable: nobody answered, or the connection broke. timeout: not in time. unavailable:
 * something on the way (a proxy, say) answered for the server. not_work_manager: what answers at this address is something else.
 */
export class WorkManagerConnectionError extends Error {
  readonly operation: string
  readonly reason: 'unreachable' | 'timeout' | 'unavailable' | 'not_work_manager'
  /** The call may have been carried out all the same. The same key repeats it safely; null where the operation takes none. */
  readonly idempotencyKey: string | null
  /** Why nobody was reached, in the words of the system, such as ECONNREFUSED; null when somebody was. */
  readonly because: string | null
  /** What answered instead (unavailable, not_work_manager); else null. */
  readonly answer: ForeignAnswer | null
  constructor(
    reason: WorkManagerConnectionError['reason'],
    message: string,
    about: { operation: string; idempotencyKey: string | null; because?: string; answer?: ForeignAnswer },
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'WorkManagerConnectionError'
    this.because = about.because ?? null
    this.answer = about.answer ?? null
    this.reason = reason
    this.operation = about.operation
    this.idempotencyKey = about.idempotencyKey
  }
}

/** True for a refusal with one of these codes, or for any refusal when none is named; narrows `code`. */
export function isWorkError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is WorkManagerError<Code> {
  return error instanceof WorkManagerError && (codes.length === 0 || (codes as readonly ErrorCode[]).includes(error.code))
}

/** True when the item is not this agent's any more: stop working on it. */
export const isLeaseLost = (
  error: unknown,
): error is WorkManagerError<'lease_lost' | 'lease_expired' | 'lease_error' | 'already_submitted' | 'paused'> =>
  isWorkError(error, 'lease_lost', 'lease_expired', 'lease_error', 'already_submitted', 'paused')

const textOr = (value: unknown, otherwise: string): string => (typeof value === 'string' && value !== '' ? value : otherwise)
const isAdvice = (value: unknown): value is RetryAdvice => value === 'never' || value === 'after_refresh' || value === 'later'

/** `error_list` where the server also sends the map of its predecessor; a plain list otherwise. */
function fieldErrors({ error_list: listed, errors }: Readonly<Record<string, unknown>>): readonly FieldError[] {
  return [listed, errors].find((one): one is readonly FieldError[] => Array.isArray(one)) ?? []
}
