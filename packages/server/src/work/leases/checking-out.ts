/** Asking for an item: what the two checkout verbs share. The grant itself is `wm.lease_items`, by way of hot-path/. */
import { countdown } from '../../kernel/countdown.ts'
import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { limitRefusal } from './decide-limits.ts'
import { pausedRefusal } from '../pauses/decide.ts'
import type { CheckoutAnswer } from '../hot-path/requests.ts'
import { keyEndRefusal } from '../../kernel/key-end.ts'
import { topics } from '../topics.ts'
import { assertTypesKnown } from '../orders/known-types.ts'
import { askerOf } from './asker.ts'
import type { McpTool, Reply } from '../../kernel/operations/operation.ts'
import type { WorkContext } from '../tools.ts'
import { traceLease } from './trace-lease.ts'

export const wait = Type.Optional(
  Type.Integer({ minimum: 0, maximum: 60, description: 'Seconds to wait for an item before giving up (long poll).' }),
)
export const leasedItem = Type.Object({
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
    case 'key_ended':
      return keyEndRefusal(answer.why)
    default:
      return new WorkError('no_items_available', { detail: none, retryAfterSeconds: 1 })
  }
}

/** Without work, waits for a wake-up of this process or half a second (another process), until the time is over. */
export async function checkout(
  context: WorkContext,
  wanted: Wanted,
  waitSeconds: number,
  none: string,
  /** Throws when there is nothing to wait for. */
  assertOpen?: () => Promise<void>,
): Promise<Reply> {
  const { tools, principal } = context
  const request = { ...askerOf(context, context.traceparent), keyId: principal.keyId, ...wanted }
  const leftMs = countdown(Math.min(waitSeconds, tools.settings.maxWaitSeconds) * 1000)
  let looked = false
  for (;;) {
    const answer = await tools.hotPath.checkout(request)
    if (answer.kind === 'leased') {
      const json = context.trace ? traceLease(context.trace, answer.json) : answer.json
      tools.briefs.rememberLeased(principal.tenantId, { ...answer, json })
      // Whoever names no type finds out which it is with the item: it counts, and the next one who names the type feels it.
      if (wanted.type === null && tools.rateLimits.countsTypes)
        tools.rateLimits.countLeased(principal, (JSON.parse(json) as { type: string }).type)
      tools.signal.wake(topics.events)
      return { status: 200, json: `{"item":${json}}` }
    }
    const refusal = refusalOf(answer, request.agentId, none)
    if (answer.kind === 'key_ended') throw refusal
    // Asked once, before any waiting, and only when there was nothing: the common case needs no second query.
    if (!looked && wanted.type !== null && refusal.code === 'no_items_available') {
      await assertTypesKnown(context, [wanted.type])
      looked = true
    }
    if (answer.kind === 'none') await assertOpen?.()
    const left = leftMs()
    const over = () => context.signal.aborted || tools.isDraining()
    if (left <= 0 || over()) throw refusal
    // A lease that ends frees an item and room under a limit alike; a lifted pause wakes as well.
    await context.wait(topics.ready(principal.tenantId), Math.min(left, 500))
    // Nobody would hear of an item that is leased to a caller who hung up.
    if (over()) throw refusal
  }
}

/** One tool for both verbs. */
export const checkoutTool: McpTool = {
  name: 'work_checkout',
  title: 'Take an item',
  summary: 'Take the most urgent ready item of any order under a lease.',
  advice:
    'With order_id: the next item of that order. Keep item.id and item.lease_token; every later call on the item needs them. no_items_available means: nothing to do now.',
}
