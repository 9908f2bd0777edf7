/**
 * Applies approved orders, once. One transaction holds the order's lock, proves that the content still has the approved
 * digest, runs the type's `apply` with that same transaction, and writes `applied` and `completed`: after a crash either all of it
 * happened or none. Effects for the outside are only declared here; effect-runner.ts carries them out after the commit.
 */
import { type Diff, WorkError } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import { makeDiff } from './diff.ts'
import { askDatabase } from '../../kernel/store/cluster.ts'
import type { WorkTools } from '../tools.ts'
import { type DecisionContent, loadDecisionContent } from '../approvals/decision-content.ts'
import type { OrderType } from '../order-types/define-order-type.ts'
import type { ApplyContext } from '../order-types/order-type.ts'
import { topics } from '../topics.ts'
import { type DecisionRow, findDecision } from '../approvals/store.ts'
import { insertEffects, type NewEffect } from '../effects/store.ts'
import { type Actor, appendEvents, type NewEvent, ofOrder, partOf, systemActor } from '../../kernel/store/events.ts'
import { lockItemsOfOrder, moveItems } from '../items/store.ts'
import { findApprovedOrders, lockOrder, moveOrder, type OrderRow, tryLockOrder } from '../orders/store.ts'
import { findPause, sharePause } from '../pauses/store.ts'
import { isConnectionError, isRetryable } from '../../kernel/store/pg-errors.ts'
import { deleteRecord, getRecord, listRecords, lockRecord, putRecord } from '../records/store.ts'
import type { Instant, Tx } from '../../kernel/store/tx.ts'
import { attributesOf } from '../../tracing/attributes.ts'
import { traceIdOf } from '../../tracing/traceparent.ts'
import type { Span } from '../../tracing/tracing.ts'
import { type ServiceDefinition, sweep } from '../../kernel/service.ts'
import { TookTooLong, within } from '../../kernel/time-limit.ts'

const batch = 20
const service = 'applier'
/** The name under which a type's `afterApply` runs among its effects: after the commit, with retries, receipt kept. */
export const afterApplyEffect = 'after_apply'
/** How long a transaction with the type's code may stall; then the database takes its locks away, and its commit fails. */
const sessionTimeoutMs = 60_000
/** How long the type's code may take: less than the session may, so that the type hears of it and not the database. */
const typeLimitMs = 50_000

/** The apply did not happen; what is told in `last_apply_error`. */
class ApplyRefused extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

class PausedMeanwhile extends Error {}

function contextOf(
  tx: Tx,
  order: OrderRow,
  content: DecisionContent,
  type: OrderType,
  key: string,
  at: Instant,
  effects: NewEffect[],
  traceparent: string | null,
): ApplyContext<unknown, unknown, unknown> {
  return {
    order: content.order,
    items: content.items.filter((item) => item.state === 'submitted'),
    tx,
    key,
    records: {
      async get(collection, name) {
        // What is read here is usually written next; two orders that count on one record must do so one after the other.
        await lockRecord(tx, collection, name)
        return getRecord(tx, collection, name)
      },
      list: (collection) => listRecords(tx, collection, 10_000),
      put: (collection, name, value) => putRecord(tx, { collection, key: name, value, orderId: order.id }, at),
      delete: (collection, name) => deleteRecord(tx, collection, name),
    },
    effect(name, input) {
      const definition = type.effects[name]
      if (!definition)
        throw new Error(`effect '${name}' is not defined by the type; defined: ${Object.keys(type.effects).join(', ') || 'none'}`)
      // The key is the order, its revision and the place in the apply: the same on every attempt.
      effects.push({
        id: uuidv7(),
        orderId: order.id,
        name,
        key: `${key}:${name}:${effects.length}`,
        input,
        deduplicates: definition.deduplicates,
        traceparent,
      })
    },
    diff: makeDiff,
  }
}

const isDiff = (value: unknown): value is Diff =>
  typeof value === 'object' && value !== null && 'before' in value && 'after' in value && 'changes' in value

/** The error that says that the transaction itself is gone; whatever the type threw then is only its echo. */
const lostTransaction = (tx: Tx): Promise<unknown> =>
  askDatabase(tx).then(
    () => null,
    (error: unknown) => (isConnectionError(error) ? error : null),
  )

async function runApply(
  tx: Tx,
  order: OrderRow,
  decision: DecisionRow | undefined,
  type: OrderType | undefined,
  effects: NewEffect[],
  limitMs: number,
  traceparent: string | null,
): Promise<Diff> {
  if (!type) throw new ApplyRefused('order_type_not_found', `The order type '${order.type}' is not registered on this server.`)
  if (type.version !== order.type_version)
    throw new ApplyRefused(
      'type_version_changed',
      `The order was proposed for version ${order.type_version} of '${order.type}'; this server has version ${type.version}.`,
    )
  const content = await loadDecisionContent(tx, tx.tenantId, order)
  if (decision?.digest !== content.digest) throw new ApplyRefused('content_changed', 'The content of the order is not what was approved.')
  const context = contextOf(tx, order, content, type, `apply:${order.id}:${order.revision}`, await tx.clock(), effects, traceparent)
  try {
    const diff: unknown = await within('apply', limitMs, async () => {
      await type.beforeApply?.(context)
      return type.apply(context)
    })
    if (!isDiff(diff)) throw new TypeError('apply must return a diff: return context.diff(before, after, summary)')
    return diff
  } catch (error) {
    // Database errors keep their class, so that a deadlock or a lost connection runs the whole apply again; the rest is the type's own refusal.
    if (isRetryable(error)) throw error
    const lost = error instanceof TookTooLong ? null : await lostTransaction(tx)
    throw lost ?? new ApplyRefused('apply_failed', messageOf(error), { cause: error })
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
/** Nobody's fault and worth another try: everything else would fail again in the same way, unseen. */
const passes = (error: unknown): boolean =>
  error instanceof WorkError && ['busy', 'database_unavailable', 'storage_low'].includes(error.code)

/** Everything that `applied` means, in the caller's transaction. */
async function complete(tx: Tx, order: OrderRow, diff: Diff, at: Instant, actor: Actor): Promise<void> {
  const items = await lockItemsOfOrder(tx, order.id)
  const ids = items.filter((item) => item.state === 'submitted').map((item) => item.id)
  // Everything here happens because it was approved: the decision's event bears the decision's id.
  const causationId = order.approval_id
  const events: NewEvent[] = [{ kind: 'order.applied', ...ofOrder(order), causationId, diff, message: 'Changes applied successfully' }]
  await moveItems(tx, ids, 'submitted', 'accepted', at, { acceptedAt: at })
  await moveItems(tx, ids, 'accepted', 'completed', at)
  for (const id of ids) {
    events.push(
      { kind: 'item.accepted', ...partOf(order, id), causationId, message: 'Work order applied' },
      { kind: 'item.completed', ...partOf(order, id), causationId, message: 'Work item completed' },
    )
  }
  await moveOrder(tx, order.id, 'approved', 'applied', at, { appliedAt: at })
  await moveOrder(tx, order.id, 'applied', 'completed', at, { completedAt: at })
  events.push({ kind: 'order.completed', ...ofOrder(order), causationId, message: 'All items completed' })
  await appendEvents(tx, actor, at, events)
}

export function applier(tools: WorkTools, limits: { readonly typeMs: number } = { typeMs: typeLimitMs }): ServiceDefinition {
  const { db, system, types, signal, log, metrics, tracing } = tools

  async function apply(tenantId: string, orderId: string): Promise<boolean> {
    let seen: OrderRow | undefined
    let span: Span | undefined
    try {
      const done = await db.transaction(tenantId, async (tx) => {
        seen = await tryLockOrder(tx, orderId)
        // Skipped when another process is applying it just now, or has done so.
        if (seen?.state !== 'approved' || (await findPause(tx, tenantId, { type: seen.type }))) return false
        await tx.allow(sessionTimeoutMs)
        const type = types.get(seen.type)
        const effects: NewEffect[] = []
        const order = seen
        const decision = order.approval_id ? await findDecision(tx, order.approval_id) : undefined
        // The decision may be days old and made at another server: its trace is continued all the same.
        span ??= tracing.start('apply', { parent: decision?.traceparent, attributes: attributesOf({ orderId, orderType: order.type }) })
        const { traceparent } = span
        const startedAt = performance.now()
        const diff = await span
          .within(() => runApply(tx, order, decision, type, effects, limits.typeMs, traceparent))
          .finally(() => {
            const seconds = (performance.now() - startedAt) / 1000
            metrics.observe('order_apply_duration_seconds', { type: order.type }, seconds, traceIdOf(traceparent))
          })
        if (type?.afterApply)
          effects.push({
            id: uuidv7(),
            orderId,
            name: afterApplyEffect,
            key: `apply:${orderId}:${seen.revision}:${afterApplyEffect}`,
            input: { diff },
            deduplicates: true,
            traceparent,
          })
        // A pause that came while the type's code ran: nothing is committed past it, and the order is applied when it is lifted.
        if (await sharePause(tx, { type: order.type })) throw new PausedMeanwhile()
        const at = await tx.clock()
        await insertEffects(tx, effects, at)
        await complete(tx, seen, diff, at, systemActor(service, traceIdOf(traceparent)))
        return true
      })
      span?.set(attributesOf({ outcome: 'applied' }))
      span?.end()
      return done
    } catch (error) {
      if (error instanceof PausedMeanwhile) {
        span?.end({ code: 'paused', failed: false })
        return false
      }
      if (!seen || passes(error)) {
        span?.end({ code: 'internal', failed: true })
        throw error
      }
      // A diff that is no JSON, a swallowed database error, a deferred constraint: found behind apply, and the type's as well.
      const refused = error instanceof ApplyRefused ? error : new ApplyRefused('apply_failed', messageOf(error), { cause: error })
      log.warn({ err: refused.cause ?? refused, order_id: orderId, type: seen.type }, 'apply failed; the order waits for a person')
      span?.set(attributesOf({ outcome: 'failed' }))
      span?.end({ code: refused.code, failed: true })
      return recordFailure(tenantId, seen, refused, traceIdOf(span?.traceparent ?? null))
    }
  }

  /** Back to submitted, visibly, and never by itself into another try: a person looks at the cause first. */
  const recordFailure = (tenantId: string, seen: OrderRow, error: ApplyRefused, traceId: string | null): Promise<boolean> =>
    db.transaction(tenantId, async (tx) => {
      const order = await lockOrder(tx, seen.id)
      if (order?.state !== 'approved' || order.approval_id !== seen.approval_id) return false
      const at = await tx.clock()
      const cause = { code: error.code, message: error.message.slice(0, 2000), at, approval_id: order.approval_id }
      await moveOrder(tx, order.id, 'approved', 'submitted', at, {
        approvalId: null,
        lastApplyError: cause,
        applyAttempts: order.apply_attempts + 1,
      })
      await appendEvents(tx, systemActor(service, traceId), at, [
        {
          kind: 'order.apply_failed',
          ...ofOrder(order),
          causationId: order.approval_id,
          reason: cause.code,
          payload: cause,
          message: cause.message.slice(0, 500),
        },
      ])
      return true
    })

  return {
    name: 'applier',
    everyMs: 500,
    wakeOn: [topics.approved],
    async run(round) {
      const waiting = await findApprovedOrders(system, batch)
      const done = await sweep(waiting, { log, round }, (order) =>
        apply(order.tenant_id, order.id).finally(() => signal.wake(topics.settled(order.id))),
      )
      if (done > 0) {
        signal.wake(topics.events)
        signal.wake(topics.effects)
      }
      return { done, more: done === batch }
    },
  }
}
