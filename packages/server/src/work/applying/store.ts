/** Applying in the caller's transaction: what comes before the type's code, and what comes after it, a function of the database each. */
import sql from 'sql-template-tag'
import type { HeldKey } from '../../kernel/operations/operation.ts'
import type { Instant, Tx } from '../../kernel/store/tx.ts'
import type { NewEffect } from '../effects/store.ts'

export interface ApplyBegun {
  /** `wm.order_content`, under the order's lock. */
  readonly content: string
  /** Of the decision, and where it stands in its trace. */
  readonly digest: string | null
  readonly traceparent: string | null
  readonly now: Instant
}

/**
 * Locks the order. Undefined: somebody else applies it just now or has done so, or it is paused. Neither one statement nor silence between
 * two may last longer than `ms` until the transaction ends.
 */
export async function beginApply(tx: Tx, orderId: string, ms: number): Promise<ApplyBegun | undefined> {
  const [row] = await tx.query<ApplyBegun>(
    sql`select * from wm.begin_apply(${tx.tenantId}::uuid, ${orderId}::uuid, ${ms}::integer)`,
    'begin_apply',
  )
  if (row) await tx.allow(ms, true)
  return row
}

export interface WrittenDocument {
  readonly collection: string
  readonly key: string
  /** Null: it was deleted. */
  readonly digest: string | null
}

/** Everything that `applied` means, and the answer of whoever waits for it. `paused`: nothing of it, and the transaction must end. */
export async function finishApply(
  tx: Tx,
  applied: {
    readonly orderId: string
    readonly diff: string
    readonly effects: readonly NewEffect[]
    readonly by: string
    readonly traceId: string | null
    /** Documents that the type wrote, with their digests; null: deleted. */
    readonly documents: readonly WrittenDocument[]
  },
  key: HeldKey | null,
): Promise<{ verdict: 'done' | 'paused'; status: number; body: string }> {
  const effects = applied.effects.map(({ id, name, key: own, input, deduplicates, traceparent }) => ({
    id,
    name,
    key: own,
    input: input ?? null,
    deduplicates,
    traceparent,
  }))
  const [row] = await tx.query<{ verdict: 'done' | 'paused'; status: number; body: string }>(
    sql`select * from wm.finish_apply(${tx.tenantId}::uuid, ${applied.orderId}::uuid, ${applied.diff},
      ${effects.length === 0 ? null : JSON.stringify(effects)}::json, ${applied.by}, ${applied.traceId},
      ${key?.principal ?? null}, ${key?.operation ?? null}, ${key?.keyHash ?? null}::bytea, ${key?.ttlSeconds ?? null}::integer,
      ${applied.documents.length === 0 ? null : JSON.stringify({ documents: applied.documents })})`,
    'finish_apply',
  )
  return row!
}
