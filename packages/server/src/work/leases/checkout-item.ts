import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { limitRefusal } from './decide-limits.ts'
import { pausedRefusal } from '../pauses/decide.ts'
import type { CheckoutAnswer } from '../hot-path/requests.ts'
import { topics } from '../../kernel/signals/work-signal.ts'
import { findOrder } from '../orders/store.ts'
import { askerOf } from './asker.ts'
import { orderId } from '../inputs.ts'
import type { Reply } from '../../kernel/operations/operation.ts'
import { defineOperation, type WorkContext } from '../tools.ts'
import { traceLease } from './trace-lease.ts'
import { rememberLeased } from '../items/verification.ts'

const wait = Type.Optional(
  Type.Integer({ minimum: 0, maximum: 60, description: 'Seconds to wait for an item before giving up (long poll).' }),
)
const output = Type.Object({
  item: Type.Object(
    {
      id: Type.String(),
      order_id: Type.String(),
      type: Type.String(),
      state: Type.String(),
      input: Type.Unknown(),
      lease_token: Type.String({ description: 'Send it with every later verb on this item. A late holder of an older token is refused.' }),
      lease_expires_at: Type.String(),
      heartbeat_every_seconds: Type.Integer(),
      attempt: Type.Integer(),
      max_attempts: Type.Integer(),
      parts_required: Type.Union([Type.Null(), Type.Array(Type.String())]),
      parts_state: Type.Unknown(),
      rework: Type.Unknown({ description: 'What the reviewer asked to change, or null.' }),
      last_error: Type.Unknown({ description: 'Why the last attempt ended, or null.' }),
      traceparent: Type.Union([Type.Null(), Type.String()], {
        description:
          'The place of the lease in the trace of its order. Send it as the header of later calls, or continue it in your own spans.',
      }),
    },
    { title: 'LeasedItem' },
  ),
})

interface Wanted {
  readonly orderId: string | null
  readonly type: string | null
  readonly minPriority: number | null
}

function refusalOf(answer: Exclude<CheckoutAnswer, { kind: 'leased' }>, agentId: string, none: string): WorkError {
  switch (answer.kind) {
    case 'limited':
      return limitRefusal(answer, agentId)
    case 'paused':
      return pausedRefusal(answer.pause)
    default:
      return new WorkError('no_items_available', { detail: none, retryAfterSeconds: 1 })
  }
}

/** Without work, waits for a wake-up of this process or half a second (another process), until the time is over. */
async function checkout(context: WorkContext, wanted: Wanted, waitSeconds: number, none: string): Promise<Reply> {
  const { tools, principal } = context
  const request = { ...askerOf(context, context.traceparent), ...wanted }
  const until = Date.now() + Math.min(waitSeconds, tools.settings.maxWaitSeconds) * 1000
  for (;;) {
    const answer = await tools.hotPath.checkout(request)
    if (answer.kind === 'leased') {
      const json = context.trace ? traceLease(context.trace, answer.json) : answer.json
      rememberLeased(principal.tenantId, { ...answer, json })
      // Whoever names no type finds out which it is with the item: it counts, and the next one who names the type feels it.
      if (wanted.type === null && tools.rateLimits.countsTypes)
        tools.rateLimits.countLeased(principal, (JSON.parse(json) as { type: string }).type)
      tools.signal.wake(topics.facts)
      return { status: 200, json: `{"item":${json}}` }
    }
    const refusal = refusalOf(answer, request.agentId, none)
    const left = until - Date.now()
    const over = () => context.signal.aborted || tools.isDraining()
    if (left <= 0 || over()) throw refusal
    // A lease that ends frees an item and room under a limit alike; a lifted pause wakes as well.
    await tools.signal.wait(topics.ready(principal.tenantId), Math.min(left, 500), context.signal)
    // Nobody would hear of an item that is leased to a caller who hung up.
    if (over()) throw refusal
  }
}

/** Refuses with: no_items_available, lease_limit_reached, paused. */
export const checkoutItem = defineOperation({
  name: 'checkout_item',
  summary: 'Take the most urgent ready item of any order under a lease.',
  http: { method: 'POST', path: '/checkout', success: 200 },
  ability: 'work:checkout',
  rate: 'by_type',
  idempotency: 'none',
  waits: true,
  input: Type.Object({
    type: Type.Optional(
      Type.Union([Type.Null(), Type.String({ minLength: 1, maxLength: 120 })], { description: 'Only items of orders of this type.' }),
    ),
    min_priority: Type.Optional(
      Type.Union([Type.Null(), Type.Integer({ minimum: -32768, maximum: 32767 })], {
        description: 'Only orders of at least this priority.',
      }),
    ),
    wait,
  }),
  output,
  handler: (context, input) =>
    checkout(
      context,
      { orderId: null, type: input.type ?? null, minPriority: input.min_priority ?? null },
      input.wait ?? 0,
      'No work items available matching filters',
    ),
})

/** Refuses with: not_found, no_items_available, lease_limit_reached, paused. */
export const checkoutOrderItem = defineOperation({
  name: 'checkout_order_item',
  summary: 'Take the next ready item of one order under a lease.',
  http: { method: 'POST', path: '/orders/:order/checkout', success: 200 },
  ability: 'work:checkout',
  rate: 'by_type',
  idempotency: 'none',
  waits: true,
  input: Type.Object({ order: orderId, wait }),
  output,
  async handler(context, input) {
    try {
      return await checkout(
        context,
        { orderId: input.order, type: null, minPriority: null },
        input.wait ?? 0,
        'No work items available for checkout',
      )
    } catch (error) {
      // Looked up only when nothing was leased: the common case needs no second query.
      if (error instanceof WorkError && error.code === 'no_items_available' && !(await context.read((q) => findOrder(q, input.order))))
        throw new WorkError('not_found')
      throw error
    }
  },
})
