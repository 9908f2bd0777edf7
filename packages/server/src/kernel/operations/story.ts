/**
 * Which story a call belongs to: the correlation id goes from the call that proposes to the order, its items, their events, what is applied
 * and every effect; the session key beside it says in which session of the caller it began. One rule for every door.
 */
import { WorkError } from '@work-manager/contract'

export const correlationHeader = 'x-correlation-id'
export const sessionHeader = 'x-session-key'

/** Safe to repeat in headers, logs and labels. A UUID is one of them. */
const correlationPattern = /^[\w.:/+=@~-]{8,128}$/
const sessionPattern = /^[\w.:/+=@~-]{1,128}$/

export interface Story {
  /** undefined: the caller named none. */
  readonly correlationId: string | undefined
  readonly sessionKey: string | null
}

/** Refuses with: correlation_id_malformed, session_key_malformed. */
export function readStory(correlation: unknown, session: unknown): Story {
  if (correlation !== undefined && !isCorrelationId(correlation))
    throw new WorkError('correlation_id_malformed', { detail: `X-Correlation-ID ${whatIsWrong(correlation, 8)}.` })
  if (session !== undefined && !(typeof session === 'string' && sessionPattern.test(session)))
    throw new WorkError('session_key_malformed', { detail: `X-Session-Key ${whatIsWrong(session, 1)}.` })
  return { correlationId: correlation, sessionKey: session ?? null }
}

export const isCorrelationId = (value: unknown): value is string => typeof value === 'string' && correlationPattern.test(value)

function whatIsWrong(value: unknown, least: number): string {
  if (typeof value !== 'string') return 'is no text'
  if (value.length < least || value.length > 128) return `is ${value.length} characters long; ${least}–128 are accepted`
  return 'holds something else than letters, digits and . _ : / + = @ ~ -'
}
