/** What a caller is told about the limits that a request was counted against, allowed or not. */
import { WorkError, type Tier } from '@work-manager/contract'
import { fullMs, type Limit, waitMs } from './limit.ts'

/** principal: all calls of one credential's owner. tenant: of a whole tenant. type: proposals and checkouts of one order type. address: strangers. */
export type Scope = 'principal' | 'tenant' | 'type' | 'address'

export interface Counted {
  readonly scope: Scope
  readonly limit: Limit
  /** What is left in the bucket. */
  readonly tokens: number
}

/** Empty when nothing is limited. */
export type Admission = readonly Counted[]

export const noLimits: Admission = Object.freeze([])

const seconds = (ms: number): number => Math.ceil(ms / 1000)
const policies = new WeakMap<Limit, Map<Scope, string>>()

function policyOf(scope: Scope, limit: Limit): string {
  let known = policies.get(limit)
  if (!known) policies.set(limit, (known = new Map()))
  let policy = known.get(scope)
  if (policy === undefined) known.set(scope, (policy = `"${scope}";q=${limit.capacity};w=${limit.windowSeconds}`))
  return policy
}

/** The header fields: those of the IETF draft (ratelimit-headers 10) for every limit, and the older X- ones for the tightest. */
export function rateLimitHeaders(headers: Record<string, string>, counted: Admission, now = Date.now): void {
  let tightest = counted[0]
  if (tightest === undefined) return
  let policy = ''
  let state = ''
  for (const one of counted) {
    const { scope, limit, tokens } = one
    if (tokens < tightest.tokens) tightest = one
    const comma = policy === '' ? '' : ', '
    policy += comma + policyOf(scope, limit)
    state += `${comma}"${scope}";r=${Math.floor(tokens)};t=${seconds(fullMs(limit, tokens))}`
  }
  headers['ratelimit-policy'] = policy
  headers['ratelimit'] = state
  headers['x-ratelimit-limit'] = String(tightest.limit.capacity)
  headers['x-ratelimit-remaining'] = String(Math.floor(tightest.tokens))
  headers['x-ratelimit-reset'] = String(seconds(now() + fullMs(tightest.limit, tightest.tokens)))
}

/** The refusal carries what it was counted against, so that the door can say it in header fields. */
export class RateLimitedError extends WorkError {
  readonly counted: Admission
  constructor(subject: string, over: Counted, counted: Admission, tier: Tier | 'anonymous') {
    const { scope, limit, tokens } = over
    const retryAfterSeconds = Math.max(1, seconds(waitMs(limit, tokens)))
    const atOnce = limit.capacity === limit.perMinute ? '' : ` (${limit.capacity} at once)`
    // A flood makes thousands of these a second, and where they come from is no secret: the stack would be most of what they cost.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super('rate_limited', {
      detail: `${subject} may send ${limit.perMinute} ${limit.perMinute === 1 ? 'request' : 'requests'} a minute${atOnce}; they are used up. The next one passes in ${retryAfterSeconds} s.`,
      retryAfterSeconds,
      extra: {
        scope,
        tier,
        limit: limit.capacity,
        window_seconds: limit.windowSeconds,
        retry_after: retryAfterSeconds,
        'violated-policies': [scope],
      },
    })
    Error.stackTraceLimit = stackTraceLimit
    this.counted = counted
  }
}
