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
import { again, createBatcher } from './batcher.ts'

/** Who asks, as every lease verb passes it on. */
export interface Asker {
  readonly tenantId: string
  readonly principal: string
  readonly agentId: string
  readonly actorType: 'agent' | 'user'
  readonly actorId: string
  readonly requestId: string
  readonly provenanceId: string
  readonly traceId: string | null
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

export interface LeaseVerb extends Asker {
  readonly itemId: string
  readonly token: string | null
}
export type HeartbeatAnswer =
  | { readonly kind: 'held'; readonly expiresAt: Instant }
  | { readonly kind: 'refused'; readonly facts: LeaseFacts }
  | { readonly kind: 'absent' }

export interface SubmitRequest extends LeaseVerb {
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
  checkout(request: CheckoutRequest): Promise<LeasedItem | null>
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
const maxCheckoutTurns = 10
/** Two, so that one batch is on the wire while another commits; measured against one in bench/README.md. */
const inFlightPerLane = 2

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
  return answer!
}

export function createHotPath(options: {
  readonly connection: HotConnection
  readonly epoch: number
  readonly heartbeatEverySeconds: number
  readonly idempotencyTtlSeconds: number
}): HotPath {
  const query = async <Row>(name: string, text: string, values: readonly unknown[]): Promise<Row[]> => {
    try {
      return await options.connection.query<Row>(name, text, values)
    } catch (error) {
      // One statement: when the connection breaks, it is not known whether it was committed.
      throw asWorkError(error, 'commit')
    }
  }

  /** Rows can stay locked by somebody who does not finish: then it is better to say that there is nothing now. */
  const turns = new WeakMap<CheckoutRequest, number>()
  const askAgain = (request: CheckoutRequest): boolean => {
    const turn = (turns.get(request) ?? 0) + 1
    turns.set(request, turn)
    return turn < maxCheckoutTurns
  }

  return {
    checkout: createBatcher<CheckoutRequest, LeasedItem | null>({
      lane: (r) => `${r.tenantId} ${r.orderId ?? ''} ${r.type ?? ''} ${r.minPriority ?? ''}`,
      isCommon,
      maxBatch,
      inFlightPerLane: 1,
      async run(requests) {
        const { tenantId, orderId, type, minPriority } = requests[0]!
        const slots = requests.map((request, slot) => ({ slot, ...asker(request), random: randomBytes(16).toString('base64url') }))
        const rows = await query<{ slot: number; item_id: string; order_id: string; body: string }>(
          'checkout_items',
          'select * from wm.checkout_items($1, $2, $3, $4, $5, $6, $7)',
          [tenantId, orderId, type, minPriority ?? -32768, options.epoch, options.heartbeatEverySeconds, JSON.stringify(slots)],
        )
        // Beside a grant, or when told so, an empty hand means that others were faster, not that nothing is ready.
        const contended = rows.length > 0
        return bySlot(requests.length, rows, (row, slot) => {
          if (row) return { itemId: row.item_id, orderId: row.order_id, json: row.body }
          return contended && askAgain(requests[slot]!) ? again : null
        })
      },
    }),

    heartbeat: createBatcher<LeaseVerb, HeartbeatAnswer>({
      lane: (r) => r.tenantId,
      conflict: (r) => r.itemId,
      isCommon,
      maxBatch,
      inFlightPerLane,
      async run(requests) {
        const slots = requests.map((request, slot) => ({ slot, ...leaseVerb(request) }))
        const rows = await query<FactsRow & { slot: number; held: boolean; lease_expires_at: Instant }>(
          'heartbeat_items',
          'select * from wm.heartbeat_items($1, $2)',
          [requests[0]!.tenantId, JSON.stringify(slots)],
        )
        return bySlot(requests.length, rows, (row): HeartbeatAnswer => {
          if (!row) return { kind: 'absent' }
          return row.held ? { kind: 'held', expiresAt: row.lease_expires_at } : { kind: 'refused', facts: factsOf(row) }
        })
      },
    }),

    submit: createBatcher<SubmitRequest, SubmitAnswer>({
      lane: (r) => r.tenantId,
      conflict: (r) => r.itemId,
      isCommon,
      maxBatch,
      inFlightPerLane,
      run: (requests) => submitBatch(query, options.idempotencyTtlSeconds, requests),
    }),
  }
}
