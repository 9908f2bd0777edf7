/**
 * The lease backend: what a process may know about leases and ready items without asking the database. PostgreSQL alone grants, extends
 * and judges; a hint only says where to look first, or answers a heartbeat that the database is certain to confirm.
 * `database` has no hints at all (null); `redis` is in redis-lease-hints.ts.
 */
import type { Instant } from '../../kernel/store/tx.ts'

export interface Heartbeat {
  readonly tenantId: string
  readonly itemId: string
  readonly token: string | null
  readonly agentId: string
  readonly principal: string
}

/** A heartbeat that was answered a moment ago, and until when its holder was told that the lease lasts. */
export interface LateHeartbeat extends Heartbeat {
  readonly noLaterThan: Instant
}

/** What the database said about a heartbeat. */
export interface JudgedHeartbeat {
  readonly request: Heartbeat
  readonly held: boolean
  /** Of the lease that the item has now; null when it has none. */
  readonly token: string | null
  readonly agentId: string | null
  readonly principal: string | null
  readonly requiresToken: boolean
  readonly expiresAt: Instant | null
  readonly decidedAt: Instant
  readonly ttlSeconds: number
  readonly recordsEach: boolean
}

export interface LeaseHints {
  /** Ids of ready items to try first, at most `wanted`, which no other process is given at the same time; null: no hint. */
  take(tenantId: string, type: string | null, wanted: number): Promise<readonly string[] | null>
  /** How a take went: how many requests asked, how many ids were given, how many of those were granted. */
  tried(tenantId: string, type: string | null, counts: { readonly asked: number; readonly given: number; readonly granted: number }): void
  /** Items that this process has just leased to somebody: their first heartbeat is the database's to judge. */
  granted(tenantId: string, itemIds: readonly string[]): void
  /** Items of the tenant became ready (after commit). */
  readied(tenantId: string): void
  /** For each: the end of the lease as the holder may count on it, or null: ask the database. */
  absorb(requests: readonly Heartbeat[]): Promise<ReadonlyArray<Instant | null>>
  /** The database judged heartbeats; the statement was sent at `sentAt` (ticks of database-clock.ts). */
  judged(verdicts: readonly JudgedHeartbeat[], sentAt: number): void
  /** Leases that ended or changed in a transaction that is committed; resolves when no process of this Redis absorbs for them any more. */
  changed(tenantId: string, itemIds: readonly string[]): Promise<void>
  /** Begins to write absorbed heartbeats behind: `judge` asks the database about one. */
  start(judge: (heartbeat: LateHeartbeat) => Promise<unknown>): void
  /** Writes behind what is left, and stops. */
  stop(): Promise<void>
}
