/**
 * Checkout, heartbeat and submit: validated in memory, decided by one PostgreSQL function per batch (migrations/routines/20_leases.sql).
 * Locks, clock, guarded writes, idempotency and facts happen inside that one round trip.
 */
import { randomBytes } from 'node:crypto'
import { WorkError, type ItemState } from '@work-manager/contract'
import { Sql } from 'sql-template-tag'
import { uuidv7 } from 'uuidv7'
import type { HotConnection } from '../store/database.ts'
import { asWorkError } from '../store/pg-errors.ts'
import type { Instant, Tx } from '../store/tx.ts'
import type { LeaseFacts } from '../domain/leases.ts'
import type { LeaseLimitReached, LeaseLimits, PauseInForce } from '../domain/governance.ts'
import { ticks } from '../leases/database-clock.ts'
import type { LeaseHints } from '../leases/lease-hints.ts'
import type { OperationTrace } from '../tracing/operation-trace.ts'
import type { Tracing } from '../tracing/tracing.ts'
import { again, createBatcher } from './batcher.ts'
import { asBatch } from './batch-span.ts'
import { absorbing, notedHeartbeats, type NotedHeartbeatRow, tellJudged, tellLeased } from './hinted-leases.ts'
import { createTurns } from './turns.ts'

/** Who asks, as every lease verb passes it on. */
export interface Asker {
  readonly tenantId: string
  readonly principal: string
  readonly agentId: string
  readonly actorType: 'agent' | 'user'
  readonly actorId: string
  readonly requestId: string
  /** null only where no fact can come of it. */
  readonly provenanceId: string | null
  readonly traceId: string | null
  /** The span of the call, where spans are recorded. */
  readonly trace?: OperationTrace | null
}

export interface CheckoutRequest extends Asker {
  readonly orderId: string | null
  readonly type: string | null
  readonly minPriority: number | null
}
export interface LeasedItem {
  readonly itemId: string
  readonly orderId: string
  /** The `item` object of the answer, rendered. */
  readonly json: string
}
export type CheckoutAnswer =
  | ({ readonly kind: 'leased' } & LeasedItem)
  | ({ readonly kind: 'limited' } & LeaseLimitReached)
  | { readonly kind: 'paused'; readonly pause: PauseInForce }
  | { readonly kind: 'none' }

export interface LeaseVerb extends Asker {
  readonly itemId: string
  readonly token: string | null
}
export interface HeartbeatRequest extends LeaseVerb {
  /** A heartbeat that the database hears of late extends no further than its holder was told then. */
  readonly noLaterThan?: Instant
}
export type HeartbeatAnswer =
  /** `absorbed`: answered from a hint; the database hears of it in a moment. */
  | { readonly kind: 'held'; readonly expiresAt: Instant; readonly absorbed?: true }
  | { readonly kind: 'refused'; readonly facts: LeaseFacts }
  | { readonly kind: 'absent' }

export interface SubmitRequest extends LeaseVerb {
  /** Kept with the submission: a decision about it is linked to where it was handed in. */
  readonly traceparent: string | null
  readonly result: unknown
  readonly evidence: unknown
  readonly notes: string | null
  readonly digest: string
  readonly assembledParts: number | null
  readonly idempotency: { readonly keyHash: Buffer; readonly fingerprint: Buffer } | null
}
export type SubmitAnswer =
  | { readonly kind: 'done'; readonly body: string; readonly orderId: string; readonly orderSubmitted: boolean }
  | { readonly kind: 'replay'; readonly status: number; readonly body: string }
  | { readonly kind: 'mismatch' | 'in_flight' | 'absent' }
  | { readonly kind: 'refused'; readonly facts: LeaseFacts }

export interface HotPath {
  checkout(request: CheckoutRequest): Promise<CheckoutAnswer>
  heartbeat(request: LeaseVerb): Promise<HeartbeatAnswer>
  submit(request: SubmitRequest): Promise<SubmitAnswer>
}

interface FactsRow {
  state: ItemState
  token: string | null
  agent: string | null
  who: string | null
  requires_token: boolean
  expired_at: Instant | null
  decided_at: Instant
}
const factsOf = (row: FactsRow): LeaseFacts => ({
  state: row.state,
  token: row.token,
  agentId: row.agent,
  principal: row.who,
  requiresToken: row.requires_token,
  expiresAt: row.expired_at,
  decidedAt: row.decided_at,
})

const maxBatch = 128
const maxCheckoutTries = 10
/** Two, so that a statement which waits for somebody's lock does not stop its kind. */
const inFlightPerLane = 2
/** Statements of a tenant at a time: one is on the wire while another commits, and both are large. Measured in bench/README.md. */
const inFlightPerTenant = 2

const isCommon = (error: unknown): boolean => error instanceof WorkError && error.code === 'database_unavailable'

const asker = (request: Asker) => ({
  agent_id: request.agentId,
  principal: request.principal,
  actor_type: request.actorType,
  actor_id: request.actorId,
  request_id: request.requestId,
  provenance_id: request.provenanceId,
  trace_id: request.traceId,
})
const heartbeatVerb = (request: HeartbeatRequest) => ({ ...leaseVerb(request), no_later_than: request.noLaterThan })
const leaseVerb = (request: LeaseVerb) => ({ ...asker(request), item_id: request.itemId, token: request.token })

type RunQuery = <Row>(name: string, text: string, values: readonly unknown[]) => Promise<Row[]>

/** Puts rows (some slots may have none) back into the order of the requests. */
function bySlot<Row extends { slot: number }, Out>(
  count: number,
  rows: readonly Row[],
  answer: (row: Row | undefined, slot: number) => Out,
): Out[] {
  const found: Array<Row | undefined> = Array.from({ length: count })
  for (const row of rows) if (row.slot >= 0) found[row.slot] = row
  return found.map(answer)
}

type SubmitRow = FactsRow & { slot: number; verdict: string; status: number; body: string; order_id: string; order_submitted: boolean }

async function submitBatch(query: RunQuery, idempotencyTtlSeconds: number, requests: readonly SubmitRequest[]): Promise<SubmitAnswer[]> {
  const slots = requests.map((request, slot) => ({
    slot,
    ...leaseVerb(request),
    submission_id: uuidv7(),
    traceparent: request.traceparent,
    result: request.result,
    evidence: request.evidence,
    notes: request.notes,
    digest: request.digest,
    assembled_parts: request.assembledParts,
    key_hash: request.idempotency?.keyHash.toString('hex') ?? null,
    fingerprint: request.idempotency?.fingerprint.toString('hex') ?? null,
  }))
  const rows = await query<SubmitRow>('submit_items', 'select * from wm.submit_items($1, $2, $3)', [
    requests[0]!.tenantId,
    idempotencyTtlSeconds,
    JSON.stringify(slots),
  ])
  return bySlot(requests.length, rows, (row): SubmitAnswer => {
    switch (row?.verdict) {
      case undefined:
        return { kind: 'absent' }
      case 'done':
        return { kind: 'done', body: row.body, orderId: row.order_id, orderSubmitted: row.order_submitted }
      case 'replay':
        return { kind: 'replay', status: row.status, body: row.body }
      case 'mismatch':
        return { kind: 'mismatch' }
      case 'in_flight':
        return { kind: 'in_flight' }
      case 'refused':
        return { kind: 'refused', facts: factsOf(row) }
      default:
        throw new WorkError('internal', { detail: 'unknown verdict of submit_items' })
    }
  })
}

/** The same hand-in as part of a transaction of the caller (finalize), whose own key guards it. */
export async function submitWithin(tx: Tx, request: SubmitRequest): Promise<SubmitAnswer> {
  const [answer] = await submitBatch((name, text, values) => tx.query(new Sql([...text.split(/\$\d+/)], values), name), 0, [request])
  if (answer!.kind === 'done') tx.changedLeases.push(request.itemId)
  return answer!
}

export function createHotPath(options: {
  readonly connection: HotConnection
  readonly epoch: number
  readonly heartbeatEverySeconds: number
  readonly idempotencyTtlSeconds: number
  readonly leaseLimits: LeaseLimits | null
  /** null: the database is asked for everything. */
  readonly hints: LeaseHints | null
  readonly tracing: Tracing
}): HotPath {
  const { hints, tracing } = options
  const turns = { of: createTurns(inFlightPerTenant), group: (request: Asker) => request.tenantId }
  const query = async <Row>(name: string, text: string, values: readonly unknown[]): Promise<Row[]> => {
    try {
      return await options.connection.query<Row>(name, text, values)
    } catch (error) {
      // One statement: when the connection breaks, it is not known whether it was committed.
      throw asWorkError(error, 'commit')
    }
  }

  /** Rows can stay locked by somebody who does not finish: then it is better to say that there is nothing now. */
  const tries = new WeakMap<CheckoutRequest, number>()
  const askAgain = (request: CheckoutRequest): boolean => {
    const tried = (tries.get(request) ?? 0) + 1
    tries.set(request, tried)
    return tried < maxCheckoutTries
  }

  const judgeHeartbeat = createBatcher<HeartbeatRequest, HeartbeatAnswer>({
    lane: (r) => r.tenantId,
    conflict: (r) => r.itemId,
    isCommon,
    maxBatch,
    inFlightPerLane,
    turns,
    async run(requests) {
      const slots = JSON.stringify(requests.map((request, slot) => ({ slot, ...heartbeatVerb(request) })))
      const { tenantId } = requests[0]!
      type Row = FactsRow & { slot: number; held: boolean; lease_expires_at: Instant }
      const answer = (row: Row | undefined): HeartbeatAnswer => {
        if (!row) return { kind: 'absent' }
        return row.held ? { kind: 'held', expiresAt: row.lease_expires_at } : { kind: 'refused', facts: factsOf(row) }
      }
      if (!hints) {
        const rows = await asBatch(tracing, {
          statement: 'heartbeat_items',
          requests,
          run: () => query<Row>('heartbeat_items', 'select * from wm.heartbeat_items($1, $2)', [tenantId, slots]),
        })
        return bySlot(requests.length, rows, answer)
      }
      const sentAt = ticks()
      const items = requests.map((request) => request.itemId)
      const rows = await asBatch(tracing, {
        statement: 'noted_heartbeats',
        requests,
        run: () => query<Row & NotedHeartbeatRow>('noted_heartbeats', notedHeartbeats, [tenantId, slots, items]),
      })
      tellJudged(hints, requests, rows, sentAt)
      return bySlot(requests.length, rows, answer)
    },
  })
  // Confirms what is in progress already, so no fact comes of it that would name who asked.
  hints?.start((heartbeat) =>
    judgeHeartbeat({ ...heartbeat, actorType: 'agent', actorId: heartbeat.agentId, requestId: '', provenanceId: null, traceId: null }),
  )

  return {
    checkout: createBatcher<CheckoutRequest, CheckoutAnswer>({
      lane: (r) => `${r.tenantId} ${r.orderId ?? ''} ${r.type ?? ''} ${r.minPriority ?? ''}`,
      isCommon,
      maxBatch,
      inFlightPerLane: 1,
      turns,
      async run(requests) {
        const { tenantId, orderId, type, minPriority } = requests[0]!
        const slots = requests.map((request, slot) => ({ slot, ...asker(request), random: randomBytes(16).toString('base64url') }))
        // An order's own items are few and its row is locked anyway; a least priority is not what the hints are sorted by.
        const hinted = hints !== null && orderId === null && minPriority === null
        const candidates = hinted ? await hints.take(tenantId, type, requests.length) : null
        const filter = {
          order: orderId,
          type,
          min_priority: minPriority,
          epoch: options.epoch,
          heartbeat_every: options.heartbeatEverySeconds,
          limits: options.leaseLimits,
          ...(candidates === null ? {} : { candidates }),
        }
        const rows = await asBatch(tracing, {
          statement: 'lease_items',
          requests,
          isWorthASpan: (verdicts) => verdicts.some((row) => row.verdict === 'leased'),
          run: () =>
            query<{ slot: number; verdict: string; item_id: string; order_id: string; body: string }>(
              'lease_items',
              'select * from wm.lease_items($1, $2, $3)',
              [tenantId, JSON.stringify(filter), JSON.stringify(slots)],
            ),
        })
        if (hints) tellLeased(hints, { tenantId, type, requests: requests.length, hinted }, candidates, rows)
        // Beside a grant, or when told so, an empty hand means that others were faster, not that nothing is ready.
        const contended = rows.some((row) => row.verdict === 'leased' || row.verdict === 'contended')
        return bySlot(requests.length, rows, (row, slot) => {
          switch (row?.verdict) {
            case 'leased':
              return { kind: 'leased', itemId: row.item_id, orderId: row.order_id, json: row.body }
            case 'limited':
              return { kind: 'limited', ...(JSON.parse(row.body) as LeaseLimitReached) }
            case 'paused':
              return { kind: 'paused', pause: JSON.parse(row.body) as PauseInForce }
            default:
              return contended && askAgain(requests[slot]!) ? again : { kind: 'none' }
          }
        })
      },
    }),

    heartbeat: hints ? absorbing(hints, judgeHeartbeat, (expiresAt) => ({ kind: 'held', expiresAt, absorbed: true })) : judgeHeartbeat,

    submit: createBatcher<SubmitRequest, SubmitAnswer>({
      lane: (r) => r.tenantId,
      conflict: (r) => r.itemId,
      isCommon,
      maxBatch,
      inFlightPerLane,
      turns,
      async run(requests) {
        const answers = await asBatch(tracing, {
          statement: 'submit_items',
          requests,
          run: () => submitBatch(query, options.idempotencyTtlSeconds, requests),
        })
        const ended = requests.filter((_, n) => answers[n]!.kind === 'done').map((request) => request.itemId)
        if (hints && ended.length > 0) await hints.changed(requests[0]!.tenantId, ended)
        return answers
      },
    }),
  }
}
