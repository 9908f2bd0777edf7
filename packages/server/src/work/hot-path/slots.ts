/** A batch as its statement sees it: each request is a slot on the way there, and a row names its slot on the way back. */
import type { ItemState } from '@work-manager/contract'
import type { LeaseSeen } from '../leases/decide.ts'
import type { LeaseHints } from '../lease-hints/lease-hints.ts'
import type { Instant } from '../../kernel/store/tx.ts'
import type { Tracing } from '../../tracing/tracing.ts'
import type { BatcherOptions } from '../../kernel/batching/batcher.ts'
import type { Asker, LeaseVerb } from './requests.ts'

export type RunQuery = <Row>(name: string, text: string, values: readonly unknown[]) => Promise<Row[]>

/** What the three kinds of batches run with. */
export interface BatchContext {
  readonly query: RunQuery
  /** null: the database is asked for everything. */
  readonly hints: LeaseHints | null
  readonly tracing: Tracing
  readonly batching: Pick<BatcherOptions<Asker, unknown>, 'isCommon' | 'maxBatch' | 'inFlightPerLane' | 'turns'>
}

export const askerSlot = (request: Asker) => ({
  agent_id: request.agentId,
  principal: request.principal,
  actor_type: request.actorType,
  actor_id: request.actorId,
  request_id: request.requestId,
  provenance_id: request.provenanceId,
  trace_id: request.traceId,
})
export const leaseSlot = (request: LeaseVerb) => ({ ...askerSlot(request), item_id: request.itemId, token: request.token })

/** Puts rows (some slots may have none) back into the order of the requests. */
export function bySlot<Row extends { slot: number }, Out>(
  count: number,
  rows: readonly Row[],
  answer: (row: Row | undefined, slot: number) => Out,
): Out[] {
  const found: Array<Row | undefined> = Array.from({ length: count })
  for (const row of rows) if (row.slot >= 0) found[row.slot] = row
  return found.map(answer)
}

/** The lease of an item as a refused verb met it. */
export interface LeaseRow {
  state: ItemState
  token: string | null
  agent: string | null
  who: string | null
  requires_token: boolean
  expired_at: Instant | null
  decided_at: Instant
}
export const leaseSeen = (row: LeaseRow): LeaseSeen => ({
  state: row.state,
  token: row.token,
  agentId: row.agent,
  principal: row.who,
  requiresToken: row.requires_token,
  expiresAt: row.expired_at,
  decidedAt: row.decided_at,
})
