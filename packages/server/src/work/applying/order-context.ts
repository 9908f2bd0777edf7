/**
 * The direct-mutation guard: routes of your own that only the apply of an approved order may call. The applier issues a signed,
 * short-lived, single-use context for one order; the guard accepts nothing else. The id of an order is no secret and proves nothing.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { WorkError } from '@work-manager/contract'
import { LRUCache } from 'lru-cache'

export const orderContextHeader = 'x-work-order-context'
/** Long enough for the request that it is made for, short enough to be worthless in a log. */
const lifetimeMs = 60_000

export interface OrderContext {
  readonly tenantId: string
  readonly orderId: string
  readonly type: string
  /** The apply key: the same on every attempt, so the guarded route can ignore repeats by it. */
  readonly key: string
}
interface Signed extends OrderContext {
  readonly exp: number
  readonly nonce: string
}

const sign = (secret: string, payload: string): Buffer => createHmac('sha256', secret).update(`wm-order-context-1.${payload}`).digest()

/** A token for one request. */
export function issueOrderContext(secret: string, context: OrderContext, now: number = Date.now()): string {
  const signed: Signed = { ...context, exp: now + lifetimeMs, nonce: randomBytes(12).toString('base64url') }
  const payload = Buffer.from(JSON.stringify(signed)).toString('base64url')
  return `${payload}.${sign(secret, payload).toString('base64url')}`
}

export interface OrderContextGuard {
  /** Refuses with: forbidden_direct_mutation (no context, forged, expired, used before, of another order type). */
  check(headers: IncomingHttpHeaders): OrderContext
  /** For Express and Connect: sets `request.workOrder`, or passes the refusal to `next`. */
  readonly express: (
    request: { headers: IncomingHttpHeaders; workOrder?: OrderContext },
    response: unknown,
    next: (error?: unknown) => void,
  ) => void
  /** For Fastify, as a preHandler hook. */
  readonly fastify: (request: { headers: IncomingHttpHeaders; workOrder?: OrderContext }) => Promise<void>
}

/** A guard with the same secret as the server (`guard.secret`, WORK_MANAGER_GUARD_SECRET). One per process, so that single use holds in it. */
export function createOrderContextGuard(options: {
  readonly secret: string
  readonly types?: readonly string[]
  readonly now?: () => number
}): OrderContextGuard {
  if (options.secret.length < 32)
    throw new TypeError('the guard needs a secret of at least 32 characters, the same as guard.secret of the server')
  const now = options.now ?? Date.now
  const used = new LRUCache<string, true>({ max: 100_000, ttl: lifetimeMs * 2 })
  const refuse = (detail: string): never => {
    throw new WorkError('forbidden_direct_mutation', { detail })
  }

  function check(headers: IncomingHttpHeaders): OrderContext {
    const token = headers[orderContextHeader]
    if (typeof token !== 'string') return refuse('This action requires a valid work order context. Please create a work order first.')
    const [payload = '', signature = ''] = token.split('.')
    const expected = sign(options.secret, payload)
    const given = Buffer.from(signature, 'base64url')
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      return refuse('The work order context was not issued by the applier.')
    const { exp, nonce, ...context } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Signed
    if (exp < now()) return refuse('The work order context has expired.')
    if (used.has(nonce)) return refuse('The work order context was used before.')
    if (options.types && !options.types.includes(context.type)) return refuse(`Orders of the type '${context.type}' may not do this.`)
    used.set(nonce, true)
    return context
  }

  return {
    check,
    express(request, _response, next) {
      try {
        request.workOrder = check(request.headers)
      } catch (error) {
        next(error)
        return
      }
      next()
    },
    async fastify(request) {
      request.workOrder = check(request.headers)
    },
  }
}
