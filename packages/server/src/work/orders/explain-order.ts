import { countdown } from '../../kernel/countdown.ts'
import { orderIs, orderStates, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { fullLimit } from '../leases/decide-limits.ts'
import { explainWaiting, movers } from './decide-waiting.ts'
import { topics } from '../topics.ts'
import { findOrder } from './store.ts'
import type { Queryable } from '../../kernel/store/tx.ts'
import { findOrderSituation } from './waiting.store.ts'
import { orderId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import type { WorkTools } from '../tools.ts'

const output = Type.Object({
  order_id: Type.String({ format: 'uuid' }),
  type: Type.String(),
  state: Type.Enum(orderStates),
  settled: Type.Boolean({ description: 'True once nothing more happens unless somebody decides anew.' }),
  waits_for: Type.Enum(movers, { description: 'Whose move it is.' }),
  sentence: Type.String({ description: 'What it waits for.' }),
  next: Type.String({ description: 'What the one it waits for does.' }),
  review_url: Type.Union([Type.Null(), Type.String()], {
    description: 'A page for the person who decides; null while there is nothing to decide.',
  }),
  revision: Type.Integer(),
  created_at: Type.String({ format: 'date-time' }),
  last_transitioned_at: Type.String({ format: 'date-time' }),
})

interface Explaining {
  readonly tools: WorkTools
  absolute(link: string): string
}

async function explain({ tools, absolute }: Explaining, q: Queryable, id: string): Promise<Type.Static<typeof output>> {
  const order = await findOrder(q, id)
  const seen = order && (await findOrderSituation(q, order.id))
  if (!order || !seen) throw new WorkError('not_found')
  const automatic = tools.types.get(order.type)?.autoApprove ?? false
  const waiting = explainWaiting({
    state: order.state,
    itemsTotal: order.items_total,
    ready: seen.ready,
    leased: seen.leased,
    submitted: seen.submitted,
    retrying: seen.retrying,
    stuck: seen.stuck,
    holders: seen.holders ?? [],
    leaseEndsAt: seen.lease_ends_at,
    retryAt: seen.retry_at,
    firstStuck: seen.first_stuck,
    applyError: seen.last_apply_error?.message ?? null,
    applyAttempts: seen.apply_attempts,
    autoApprovalAhead: automatic && !seen.auto_approval_tried,
    autoApprovalFailed: automatic && seen.auto_approval_tried,
    pause: seen.pause,
    full: fullLimit(tools.settings.leaseLimits, order.type, { ofType: seen.leased_of_type, ofTenant: seen.leased_of_tenant }),
  })
  return {
    order_id: order.id,
    type: order.type,
    state: order.state,
    settled: orderIs.settled(order.state),
    ...waiting,
    next: waiting.next.replaceAll(/<order>|\{order\}/g, order.id),
    review_url:
      order.state === 'submitted' && waiting.waits_for === 'person'
        ? absolute(`${tools.settings.baseUrl}/orders/${order.id}/review`)
        : null,
    revision: order.revision,
    created_at: seen.created_at,
    last_transitioned_at: seen.last_transitioned_at,
  }
}

export const explainOrder = defineOperation({
  name: 'explain_order',
  summary: 'Say in one sentence what an order waits for, and whose move it is.',
  http: { method: 'GET', path: '/orders/:order/why', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['not_found'],
  command: { words: 'orders why', short: 'why' },
  tool: {
    name: 'work_why',
    title: 'Why does it not move?',
    advice: 'With wait: answers when the order is settled, or after that many seconds; clients that know tasks get one.',
  },
  waits: true,
  input: Type.Object({
    order: orderId,
    wait: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 60, description: 'Seconds to wait for the order to settle before answering (long poll).' }),
    ),
  }),
  output,
  async handler(context, input) {
    const { tools } = context
    const leftMs = countdown(Math.min(input.wait ?? 0, tools.settings.maxWaitSeconds) * 1000)
    for (;;) {
      const body = await context.read((q) => explain({ tools, absolute: (link) => context.absolute(link) }, q, input.order))
      const left = leftMs()
      if (body.settled || left <= 0 || context.signal.aborted || tools.isDraining()) return { status: 200, body }
      // A wake-up only comes for what this process applied; the rest is seen half a second later.
      await context.wait(topics.settled(body.order_id), Math.min(left, 500))
    }
  },
})
