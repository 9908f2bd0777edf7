/** What the hot path tells the lease hints and asks of them. Only the redis backend has hints; with `database` none of this runs. */
import type { Heartbeat, LeaseHints } from '../lease-hints/lease-hints.ts'
import type { Instant } from '../../kernel/store/tx.ts'
import { createBatcher } from '../../kernel/batching/batcher.ts'

/**
 * heartbeat_items, and what a note needs to know of the item: its ttl, negative when its type records each heartbeat, or when the lease is
 * about to be as old as it may be: no note is to promise more than that. `$3` are the items by slot.
 * The inner query runs once, at the first row: after heartbeat_items has set the tenant. `order by id` pins the primary key (20_leases.sql).
 */
export const notedHeartbeats = `
select h.*, ((select jsonb_object_agg(k.id, k.ttl)
                from (select i.id, case when i.record_heartbeats or i.lease_ends_by < clock_timestamp() + make_interval(secs => 2 * i.lease_ttl_seconds)
                                    then -i.lease_ttl_seconds else i.lease_ttl_seconds end as ttl
                        from wm.items i where i.tenant_id = $1 and i.id = any ($3::uuid[]) order by i.id) k)
             ->> ($3::uuid[])[h.slot + 1]::text)::integer as ttl
  from wm.heartbeat_items($1, $2) h`

export interface NotedHeartbeatRow {
  readonly slot: number
  readonly held: boolean
  readonly lease_expires_at: Instant
  readonly token: string | null
  readonly agent: string | null
  readonly who: string | null
  readonly requires_token: boolean
  readonly expired_at: Instant | null
  readonly decided_at: Instant
  readonly ttl: number
}

/** Tells the hints what the database said; `sentAt` is when it was asked. */
export function tellJudged(hints: LeaseHints, requests: readonly Heartbeat[], rows: readonly NotedHeartbeatRow[], sentAt: number): void {
  hints.judged(
    rows.map((row) => ({
      request: requests[row.slot]!,
      held: row.held,
      token: row.token,
      agentId: row.agent,
      principal: row.who,
      requiresToken: row.requires_token,
      expiresAt: row.held ? row.lease_expires_at : row.expired_at,
      decidedAt: row.decided_at,
      ttlSeconds: Math.abs(row.ttl),
      recordsEach: row.ttl < 0,
    })),
    sentAt,
  )
}

/** Tells the hints what became of the candidates that they gave. */
export function tellLeased(
  hints: LeaseHints,
  asked: { readonly tenantId: string; readonly type: string | null; readonly requests: number; readonly hinted: boolean },
  candidates: readonly string[] | null,
  rows: readonly { readonly verdict: string; readonly item_id: string }[],
): void {
  const leased = rows.filter((row) => row.verdict === 'leased').map((row) => row.item_id)
  if (leased.length > 0) hints.granted(asked.tenantId, leased)
  if (!asked.hinted) return
  const given = new Set(candidates)
  hints.tried(asked.tenantId, asked.type, {
    asked: asked.requests,
    given: given.size,
    granted: leased.filter((id) => given.has(id)).length,
  })
}

const maxBatch = 256
/** Redis answers sooner than the next batch is full: a second one in flight only makes both smaller (10 % more processor time per heartbeat). */
const inFlight = 1

/** Asks the hints first, many heartbeats at once, and `judge` about those that they do not answer. */
export function absorbing<Request extends Heartbeat, Answer>(
  hints: LeaseHints,
  judge: (request: Request) => Promise<Answer>,
  held: (expiresAt: Instant) => Answer,
): (request: Request) => Promise<Answer> {
  const absorb = createBatcher<Request, Instant | null>({
    lane: () => '',
    isCommon: () => true,
    maxBatch,
    inFlightPerLane: inFlight,
    run: (requests) => hints.absorb(requests),
  })
  return async (request) => {
    const expiresAt = await absorb(request)
    return expiresAt === null ? judge(request) : held(expiresAt)
  }
}
