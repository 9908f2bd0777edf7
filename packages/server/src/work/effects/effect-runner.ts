/** Carries out the outside effects of applied orders: one kind of the deliveries of kernel/delivery.ts. */
import type { Diff } from '@work-manager/contract'
import { issueOrderContext, orderContextHeader } from '../applying/order-context.ts'
import { type DeliveryOutcome, deliveryService, nothingHappened } from '../../kernel/delivery.ts'
import type { WorkTools } from '../tools.ts'
import { topics } from '../topics.ts'
import { type DueEffect, type EffectAddress, findDueEffects, findLostEffects, finishEffect, markLostEffect, takeEffect } from './store.ts'
import { appendEvents, type NewEvent, type Subject, systemActor } from '../../kernel/store/events.ts'
import { findOrder } from '../orders/store.ts'
import { sharePause } from '../pauses/store.ts'
import type { Span } from '../../tracing/tracing.ts'
import { attributesOf } from '../../tracing/attributes.ts'
import { traceIdOf } from '../../tracing/traceparent.ts'
import { afterApplyEffect } from '../applying/applier.ts'
import type { ServiceDefinition } from '../../kernel/service.ts'

const service = 'effect-runner'
const holdSeconds = 60

interface HeldEffect extends DueEffect {
  readonly span: Span
}

const ofEffect = (effect: EffectAddress): Subject & { causationId: string | null } => ({
  subjectId: effect.id,
  rootId: effect.order_id,
  label: effect.order_type,
  correlationId: effect.correlation_id,
  sessionKey: effect.session_key,
  causationId: effect.approval_id,
})

export function effectRunner(tools: WorkTools): ServiceDefinition {
  const { db, system, types, signal, tracing } = tools

  async function carryOut(effect: DueEffect, abort: AbortSignal, traceparent: string | null): Promise<unknown> {
    const type = types.get(effect.order_type)
    if (effect.name === afterApplyEffect) {
      const row = await db.read(effect.tenant_id, (q) => findOrder(q, effect.order_id))
      if (!row) throw new Error('the order is gone')
      const order = {
        id: row.id,
        tenantId: effect.tenant_id,
        type: row.type,
        priority: row.priority,
        payload: row.payload,
        meta: row.meta,
        revision: row.revision,
      }
      await type?.afterApply?.({ order, diff: (effect.input as { diff: Diff }).diff, key: effect.key, signal: abort, traceparent })
      return null
    }
    const definition = type?.effects[effect.name]
    if (!definition) throw nothingHappened(`the effect '${effect.name}' of '${effect.order_type}' is not defined on this server`)
    return definition.run(effect.input, {
      key: effect.key,
      orderId: effect.order_id,
      signal: abort,
      traceparent,
      contextHeaders() {
        const secret = tools.settings.guardSecret
        if (secret === null) throw nothingHappened('guard.secret is not set, so no order context can be signed')
        const context = { tenantId: effect.tenant_id, orderId: effect.order_id, type: effect.order_type, key: effect.key }
        return { [orderContextHeader]: issueOrderContext(secret, context) }
      },
    })
  }

  /** From here on it runs, and a pause counts it; one that a pause overtook is left. */
  async function take(address: EffectAddress): Promise<HeldEffect | undefined> {
    const effect = await db.transaction(address.tenant_id, async (tx) =>
      (await sharePause(tx, { type: address.order_type })) ? undefined : takeEffect(tx, address.id, holdSeconds),
    )
    if (!effect) return undefined
    const { order_id: orderId, order_type: orderType, name, attempts: attempt } = effect
    const span = tracing.start('effect', {
      parent: effect.traceparent,
      kind: 'client',
      attributes: attributesOf({ orderId, orderType, effect: name, attempt }),
    })
    return { ...effect, span }
  }

  function eventOf(effect: HeldEffect, outcome: DeliveryOutcome): NewEvent {
    const event = (kind: NewEvent['kind'], payload: object): NewEvent => ({
      kind,
      ...ofEffect(effect),
      payload: { name: effect.name, key: effect.key, attempt: effect.attempts, ...payload },
    })
    if (outcome.state === 'delivered') return event('effect.delivered', { receipt: outcome.receipt ?? null })
    if (outcome.state === 'unknown') return event('effect.unknown', { error: outcome.error })
    return event('effect.failed', { error: outcome.error, retry_in_seconds: Math.ceil(outcome.retryInSeconds) })
  }

  return deliveryService<EffectAddress, HeldEffect>(
    {
      name: service,
      everyMs: 1000,
      wakeOn: [topics.effects],
      timeoutMs: 30_000,
      backoff: { baseSeconds: 1, maxSeconds: 600, jitterSeconds: 0 },
      batch: 20,
      findDue: (limit) => findDueEffects(system, limit),
      findLost: (limit) => findLostEffects(system, limit),
      take,
      markLost: (effect) =>
        db.transaction(effect.tenant_id, async (tx) => {
          if (!(await markLostEffect(tx, effect.id))) return false
          await appendEvents(tx, systemActor(service), await tx.clock(), [
            {
              kind: 'effect.unknown',
              ...ofEffect(effect),
              payload: { name: effect.name, key: effect.key, error: { code: 'runner_lost' } },
            },
          ])
          return true
        }),
      call: (effect, abort) => effect.span.within(() => carryOut(effect, abort, effect.span.traceparent)),
      async settle(effect, outcome) {
        effect.span.end(outcome.state === 'delivered' ? undefined : { code: 'effect_failed', failed: true })
        await db.transaction(effect.tenant_id, async (tx) => {
          const actor = systemActor(service, traceIdOf(effect.span.traceparent))
          if (await finishEffect(tx, effect, outcome)) await appendEvents(tx, actor, await tx.clock(), [eventOf(effect, outcome)])
        })
      },
      title: ({ name }) => `the effect '${name}'`,
      afterwards: () => signal.wake(topics.events),
    },
    tools,
  )
}
