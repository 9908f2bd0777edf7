import { ItemShape } from '@work-manager/contract'
import Type from 'typebox'
import { decideAfterFailure, failureClasses } from '../../kernel/retry.ts'
import { topics } from '../topics.ts'
import { appendEvents, ofItem } from '../../kernel/store/events.ts'
import { moveItems, renderItem } from './store.ts'
import { lockOrder } from '../orders/store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { itemId, leaseToken } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { reopenIdleOrder } from '../orders/order-flow.ts'
import { getType } from '../orders/planning.ts'
import { getItemBrief } from './item-brief.ts'
import { lockHeldItem } from './held-item.ts'
import { leaseRefusals } from '../leases/refusals.ts'
import { itemShown } from '../shown.ts'

export const failItem = defineOperation({
  name: 'fail_item',
  summary: 'Say that the item could not be done, and of what kind the failure is; it is retried later or set aside.',
  http: { method: 'POST', path: '/items/:item/fail', success: 200 },
  ability: 'work:submit',
  rate: 'shed_last',
  idempotency: 'accepted',
  refuses: ['not_found', ...leaseRefusals],
  command: {
    words: 'items fail',
    example: `01890a5d-ac96-774b-bcce-b302099a8057 --class transient --error '{"code":"site_down","message":"It answers 503."}'`,
  },
  tool: {
    name: 'work_fail',
    title: 'Say that it cannot be done',
    effects: { destructive: true },
    shows: { item: itemShown, will_retry: true },
  },
  input: Type.Object({
    item: itemId,
    lease_token: leaseToken,
    class: Type.Enum(failureClasses, {
      description: 'transient: the world was in the way. agent: this agent could not. permanent: nobody can. policy: it must not be done.',
    }),
    error: Type.Object(
      { code: Type.String({ minLength: 1, maxLength: 120 }), message: Type.String({ minLength: 1, maxLength: 2000 }) },
      { additionalProperties: true, description: 'What happened.' },
    ),
    retry_after: Type.Optional(
      Type.Union([Type.Null(), Type.Integer({ minimum: 0, maximum: 604_800 })], {
        description: 'Seconds before another attempt makes sense.',
      }),
    ),
  }),
  output: Type.Object({ item: ItemShape, will_retry: Type.Boolean() }),
  async handler(context, input) {
    const { tools } = context
    const brief = await getItemBrief(context, input.item, input.lease_token)
    const { retry } = getType(tools, brief.type)
    const { backoff } = tools.settings
    const policy = { ...backoff, baseSeconds: retry.baseSeconds ?? backoff.baseSeconds, maxSeconds: retry.maxSeconds ?? backoff.maxSeconds }
    const actor = actorOf(context)
    const reply = await context.write(async (tx) => {
      const order = await lockOrder(tx, brief.order_id)
      const { item, at } = await lockHeldItem(tx, context, input.item, input.lease_token)
      const next = decideAfterFailure(input.class, item.attempts, item.max_attempts, policy, Math.random(), input.retry_after ?? 0)
      const willRetry = next.kind === 'retry'
      const error = {
        ...input.error,
        class: input.class,
        is_transient: input.class === 'transient',
        retry_after: willRetry ? Math.ceil(next.delaySeconds) : null,
        attempt: item.attempts,
      }
      await moveItems(tx, [item.id], item.state, 'failed', at, { error, retryInSeconds: willRetry ? next.delaySeconds : null })
      const reopened = await reopenIdleOrder(tx, order!, at, actor)
      await appendEvents(tx, actor, at, [
        {
          kind: 'item.failed',
          ...ofItem(item),
          reason: input.class,
          payload: { error, will_retry: willRetry, generation: Number(item.generation), lease_expires_at: item.lease_expires_at },
          message: input.error.message.slice(0, 500),
        },
        ...reopened,
      ])
      return { status: 200, json: `{"item":${await renderItem(tx, item.id)},"will_retry":${willRetry}}` }
    })
    tools.signal.wake(topics.failed)
    return reply
  },
})
