/**
 * Applies approved orders, once. One transaction holds the order's lock, proves that the content still has the approved
 * digest, runs the type's `apply` with that same transaction, and writes `applied` and `completed`: after a crash either all of it
 * happened or none. Effects for the outside are only declared here; effect-runner.ts carries them out after the commit.
 */
import { type Diff, WorkError } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import { makeDiff } from './diff.ts'
import type { ApplyOne } from './applies.ts'
import { type ApplyBegun, beginApply, finishApply, type WrittenDocument } from './store.ts'
import { digestOf } from '../approvals/digest.ts'
import { askDatabase } from '../../kernel/store/cluster.ts'
import type { WorkTools } from '../tools.ts'
import { type DecisionContent, readDecisionContent } from '../approvals/decision-content.ts'
import type { OrderType } from '../order-types/define-order-type.ts'
import type { ApplyContext } from '../order-types/order-type.ts'
import { topics } from '../topics.ts'
import type { NewEffect } from '../effects/store.ts'
import { appendEvents, ofOrder, systemActor } from '../../kernel/store/events.ts'
import { findApprovedOrders, lockOrder, moveOrder, type OrderRow } from '../orders/store.ts'
import { isConnectionError, isRetryable } from '../../kernel/store/pg-errors.ts'
import { deleteRecord, getRecord, listRecords, lockRecord, putRecord } from '../records/store.ts'
import type { Instant, Tx } from '../../kernel/store/tx.ts'
import { attributesOf } from '../../tracing/attributes.ts'
import { traceIdOf } from '../../tracing/traceparent.ts'
import type { Span } from '../../tracing/tracing.ts'
import type { ServiceDefinition } from '../../kernel/service.ts'
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

/** So many documents of one apply stand on the record with their digests; what verifies content looks at those. */
const mostDocuments = 1000

/** What the type wrote last, by collection and key. */
type Documents = Map<string, WrittenDocument>

function contextOf(
  tx: Tx,
  order: OrderRow,
  content: DecisionContent,
  type: OrderType,
  key: string,
  at: Instant,
  effects: NewEffect[],
  documents: Documents,
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
      async put(collection, name, value) {
        await putRecord(tx, { collection, key: name, value, orderId: order.id }, at)
        documents.set(JSON.stringify([collection, name]), { collection, key: name, digest: digestOf(JSON.parse(JSON.stringify(value))) })
      },
      async delete(collection, name) {
        const was = await deleteRecord(tx, collection, name)
        if (was) documents.set(JSON.stringify([collection, name]), { collection, key: name, digest: null })
        return was
      },
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
  begun: ApplyBegun,
  content: DecisionContent,
  type: OrderType | undefined,
  effects: NewEffect[],
  documents: Documents,
  limitMs: number,
  traceparent: string | null,
): Promise<Diff> {
  if (!type) throw new ApplyRefused('order_type_not_found', `The order type '${order.type}' is not registered on this server.`)
  if (type.version !== order.type_version)
    throw new ApplyRefused(
      'type_version_changed',
      `The order was proposed for version ${order.type_version} of '${order.type}'; this server has version ${type.version}.`,
    )
  if (begun.digest !== content.digest) throw new ApplyRefused('content_changed', 'The content of the order is not what was approved.')
  const context = contextOf(tx, order, content, type, `apply:${order.id}:${order.revision}`, begun.now, effects, documents, traceparent)
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

export function applier(tools: WorkTools, limits: { readonly typeMs: number } = { typeMs: typeLimitMs }): ServiceDefinition {
  const { db, system, types, signal, log, metrics, tracing, applies } = tools

  const apply: ApplyOne = async (tenantId, orderId, key) => {
    let seen: OrderRow | undefined
    let span: Span | undefined
    try {
      const answer = await db.transaction(tenantId, async (tx) => {
        // Skipped when another process is applying it just now, or has done so.
        const begun = await beginApply(tx, orderId, sessionTimeoutMs)
        if (!begun) return null
        const { row: order, content } = readDecisionContent(tenantId, begun.content)
        seen = order
        const type = types.get(order.type)
        const effects: NewEffect[] = []
        const documents: Documents = new Map()
        // The decision may be days old and made at another server: its trace is continued all the same.
        span ??= tracing.start('apply', { parent: begun.traceparent, attributes: attributesOf({ orderId, orderType: order.type }) })
        const { traceparent } = span
        const startedAt = performance.now()
        const diff = await span
          .within(() => runApply(tx, order, begun, content, type, effects, documents, limits.typeMs, traceparent))
          .finally(() => {
            const seconds = (performance.now() - startedAt) / 1000
            metrics.observe('order_apply_duration_seconds', { type: order.type }, seconds, traceIdOf(traceparent))
          })
        if (type?.afterApply)
          effects.push({
            id: uuidv7(),
            orderId,
            name: afterApplyEffect,
            key: `apply:${orderId}:${order.revision}:${afterApplyEffect}`,
            input: { diff },
            deduplicates: true,
            traceparent,
          })
        const { principal, traceId } = systemActor(service, traceIdOf(traceparent))
        const written = [...documents.values()].slice(0, mostDocuments)
        const finished = await finishApply(
          tx,
          { orderId, diff: JSON.stringify(diff), effects, by: principal, traceId, documents: written },
          key,
        )
        // It came while the type's code ran: nothing is committed past it, and the order is applied when it is lifted.
        if (finished.verdict === 'paused') throw new PausedMeanwhile()
        return { status: finished.status, json: finished.body }
      })
      span?.set(attributesOf({ outcome: 'applied' }))
      span?.end()
      return { done: answer !== null, answer }
    } catch (error) {
      if (error instanceof PausedMeanwhile) {
        span?.end({ code: 'paused', failed: false })
        return { done: false, answer: null }
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
      return { done: await recordFailure(tenantId, seen, refused, traceIdOf(span?.traceparent ?? null)), answer: null }
    } finally {
      // After whoever has the answer in hand: the others look it up.
      setImmediate(() => signal.wake(topics.settled(orderId)))
    }
  }

  /** An order that was approved here, at once. */
  const applyAtOnce: ApplyOne = async (tenantId, orderId, key) => {
    const applied = await apply(tenantId, orderId, key)
    if (applied.done) tell()
    return applied
  }
  const tell = (): void => {
    signal.wake(topics.events)
    signal.wake(topics.effects)
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
    start: () => applies.serve(applyAtOnce),
    async run(round) {
      const waiting = await findApprovedOrders(system, batch)
      let done = 0
      const gone: WorkError[] = []
      const one = async ({ tenant_id: tenantId, id }: (typeof waiting)[number]): Promise<void> => {
        // Asked when its turn has come: what is left is left for a later run.
        const unlessOver: ApplyOne = (...order) =>
          round.signal.aborted || gone.length > 1 ? Promise.resolve({ done: false, answer: null }) : apply(...order)
        try {
          if ((await applies.inTurn(unlessOver, tenantId, id, null)).done) done++
        } catch (error) {
          if (error instanceof WorkError && error.code === 'database_unavailable') gone.push(error)
          log.error({ err: error, order_id: id }, 'apply could not run; it will be tried again')
        }
        round.moved()
      }
      await Promise.all(waiting.filter(({ id }) => !applies.isUnderWay(id)).map(one))
      // It would be so for each of the others, too.
      if (gone.length > 1) throw gone[0]!
      if (done > 0) tell()
      return { done, more: done === batch }
    },
    async stop() {
      applies.serve(null)
      await applies.settled()
    },
  }
}
