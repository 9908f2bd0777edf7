import { ItemShape } from '@work-manager/contract'
import Type from 'typebox'
import { decideAfterFailure, failureClasses, isForGood } from '../../kernel/retry.ts'
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
import { afterDrop, isConfirmed } from '../leases/decide-drop.ts'
import { dropRulesOf } from '../leases/drop-rules.ts'

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
      description:
        'transient: the world was in the way. agent: this agent could not. permanent: nobody can. policy: it must not be done. The last two end the item; a type may want to hear it from a second agent first.',
    }),
    error: Type.Object(
      { code: Type.String({ minLength: 1, maxLength: 120 }), message: Type.String({ minLength: 1, maxLength: 2000 }) },
      { additionalProperties: true, description: 'What happened.' },
    ),
    retry_after: Type.Optional(
      Type.Union([Type.Null(), Type.Integer({ minimum: 0, maximum: 604_800 })], {
        description: 'Seconds before another attempt makes sense; at most what the type or the server allows.',
      }),
    ),
  }),
  output: Type.Object({
    item: ItemShape,
    will_retry: Type.Boolean({ description: 'True also while a failure for good waits for a second word.' }),
  }),
  async handler(context, input) {
    const { tools } = context
    const brief = await getItemBrief(context, input.item, input.lease_token)
    const { retry } = getType(tools, brief.type)
    const { backoff, maxRetryAfterSeconds } = tools.settings
    const asked = input.retry_after ?? 0
    const retryAfter = Math.min(asked, retry.maxRetryAfterSeconds ?? maxRetryAfterSeconds)
    const rules = dropRulesOf(tools, brief.type)
    const gaveUp = isForGood(input.class)
    const policy = { ...backoff, baseSeconds: retry.baseSeconds ?? backoff.baseSeconds, maxSeconds: retry.maxSeconds ?? backoff.maxSeconds }
    const actor = actorOf(context)
    const reply = await context.write(async (tx) => {
      const order = await lockOrder(tx, brief.order_id)
      const { item, at } = await lockHeldItem(tx, context, input.item, input.lease_token)
      const { name: principal, kind } = context.principal
      const believed = !retry.confirmPermanent || kind === 'person' || isConfirmed(item.dropped_by, principal)
      const next = decideAfterFailure(input.class, item.attempts, item.max_attempts, policy, Math.random(), retryAfter, believed)
      const willRetry = next.kind === 'retry'
      const error = {
        ...input.error,
        class: input.class,
        is_transient: input.class === 'transient',
        retry_after: willRetry ? Math.ceil(next.delaySeconds) : null,
        // Said, not cut in silence.
        ...(asked > retryAfter ? { retry_after_asked: asked } : {}),
        ...(gaveUp && !believed ? { unconfirmed: true } : {}),
        attempt: item.attempts,
      }
      await moveItems(tx, [item.id], item.state, 'failed', at, {
        error,
        retryInSeconds: willRetry ? next.delaySeconds : null,
        droppedBy: afterDrop(
          item.dropped_by,
          { principal, at, readyInSeconds: willRetry ? next.delaySeconds : 0, gaveUp },
          {
            ...rules,
            // It waits already: others go first for as long again.
            cooldownSeconds: gaveUp || !willRetry ? rules.cooldownSeconds : Math.min(rules.cooldownSeconds, next.delaySeconds),
          },
        ),
      })
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
