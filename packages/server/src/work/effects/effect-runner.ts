/**
 * Carries out the outside effects of applied orders: at least once, always with the same key, receipt kept. When the outcome is not
 * known and the target does not ignore repeats, the effect becomes `unknown` and is shown to people instead of being repeated.
 */
import type { Diff } from '@work-manager/contract'
import { issueOrderContext, orderContextHeader } from '../applying/order-context.ts'
import { backoffSeconds } from '../../kernel/retry.ts'
import type { WorkTools } from '../tools.ts'
import { topics } from '../../kernel/signals/work-signal.ts'
import { type DueEffect, type EffectAddress, findDueEffects, findLostEffects, finishEffect, markLostEffect, takeEffect } from './store.ts'
import { appendEvents, type Fact, systemActor } from '../../kernel/store/events.ts'
import { findOrder } from '../orders/store.ts'
import { sharePause } from '../pauses/store.ts'
import { attributesOf } from '../../tracing/attributes.ts'
import { traceIdOf } from '../../tracing/traceparent.ts'
import { afterApplyEffect } from '../applying/applier.ts'
import { type ServiceDefinition, sweep } from '../../kernel/service.ts'
import { within } from '../order-types/time-limit.ts'

const service = 'effect-runner'
const timeoutMs = 30_000
const holdSeconds = 60
const backoff = { baseSeconds: 1, maxSeconds: 600, jitterSeconds: 0 }
const batch = 20

/** Thrown by an effect's `run` to say that the call certainly did nothing, so repeating it is safe. */
const certainlyNothing = (error: unknown): boolean => error instanceof Error && 'outcome' in error && error.outcome === 'nothing_happened'

export function effectRunner(tools: WorkTools): ServiceDefinition {
  const { db, system, types, signal, log, tracing } = tools

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
    if (!definition)
      throw Object.assign(new Error(`the effect '${effect.name}' of '${effect.order_type}' is not defined on this server`), {
        outcome: 'nothing_happened',
      })
    return definition.run(effect.input, {
      key: effect.key,
      orderId: effect.order_id,
      signal: abort,
      traceparent,
      contextHeaders() {
        const secret = tools.settings.guardSecret
        if (secret === null)
          throw Object.assign(new Error('guard.secret is not set, so no order context can be signed'), { outcome: 'nothing_happened' })
        const context = { tenantId: effect.tenant_id, orderId: effect.order_id, type: effect.order_type, key: effect.key }
        return { [orderContextHeader]: issueOrderContext(secret, context) }
      },
    })
  }

  /** From here on it runs, and a pause counts it; one that a pause overtook is left. */
  const take = (address: EffectAddress): Promise<DueEffect | undefined> =>
    db.transaction(address.tenant_id, async (tx) =>
      (await sharePause(tx, { type: address.order_type })) ? undefined : takeEffect(tx, address.id, holdSeconds),
    )

  async function runOne(effect: DueEffect): Promise<void> {
    const fact = (kind: Fact['kind'], payload: object): Fact => ({
      kind,
      orderId: effect.order_id,
      orderType: effect.order_type,
      payload: { name: effect.name, key: effect.key, attempt: effect.attempts, ...payload },
    })
    const span = tracing.start('effect', {
      parent: effect.traceparent,
      kind: 'client',
      attributes: attributesOf({ orderId: effect.order_id, orderType: effect.order_type, effect: effect.name, attempt: effect.attempts }),
    })
    let outcome: Parameters<typeof finishEffect>[2]
    let event: Fact
    try {
      const receipt = await within(`the effect '${effect.name}'`, timeoutMs, (signal) =>
        span.within(() => carryOut(effect, signal, span.traceparent)),
      )
      outcome = { state: 'delivered', receipt }
      span.end()
      event = fact('effect.delivered', { receipt: receipt ?? null })
    } catch (cause) {
      const error = {
        message: cause instanceof Error ? cause.message.slice(0, 1000) : String(cause).slice(0, 1000),
        attempt: effect.attempts,
      }
      span.end({ code: 'effect_failed', failed: true })
      log.warn({ err: cause, order_id: effect.order_id, effect: effect.name, attempt: effect.attempts }, 'effect failed')
      if (effect.deduplicates || certainlyNothing(cause)) {
        const retryInSeconds = backoffSeconds(effect.attempts, backoff, Math.random())
        outcome = { state: 'pending', error, retryInSeconds }
        event = fact('effect.failed', { error, retry_in_seconds: Math.ceil(retryInSeconds) })
      } else {
        outcome = { state: 'unknown', error }
        event = fact('effect.unknown', { error })
      }
    }
    await db.transaction(effect.tenant_id, async (tx) => {
      const actor = systemActor(service, traceIdOf(span.traceparent))
      if (await finishEffect(tx, effect, outcome)) await appendEvents(tx, actor, await tx.clock(), [event])
    })
  }

  return {
    name: 'effect-runner',
    everyMs: 1000,
    wakeOn: [topics.effects],
    async run() {
      const lost = await findLostEffects(system, batch)
      let done = await sweep(lost, tools, (effect) =>
        db.transaction(effect.tenant_id, async (tx) => {
          if (!(await markLostEffect(tx, effect.id))) return false
          await appendEvents(tx, systemActor(service), await tx.clock(), [
            {
              kind: 'effect.unknown',
              orderId: effect.order_id,
              payload: { name: effect.name, key: effect.key, error: { code: 'runner_lost' } },
            },
          ])
          return true
        }),
      )
      const due = await findDueEffects(system, batch)
      done += await sweep(due, tools, async (address) => {
        const effect = await take(address)
        if (effect) await runOne(effect)
        return effect !== undefined
      })
      if (done > 0) signal.wake(topics.facts)
      return { done, more: done >= batch }
    },
  }
}
