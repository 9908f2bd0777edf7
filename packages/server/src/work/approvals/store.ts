/** Decisions on orders: who, which digest, why. Append only. */
import sql from 'sql-template-tag'
import type { HeldKey } from '../../kernel/operations/operation.ts'
import type { Actor } from '../../kernel/store/events.ts'
import type { Db, Instant, Tx } from '../../kernel/store/tx.ts'

export interface NewDecision {
  readonly id: string
  readonly orderId: string
  readonly revision: number
  readonly decision: 'approved' | 'rejected'
  readonly digest: string | null
  readonly actorType: 'user' | 'system'
  readonly actorId: string | null
  readonly principal: string
  readonly errors?: unknown
  readonly reworkItemIds?: readonly string[]
  /** For automatic decisions: which policy decided, on what. */
  readonly policy?: unknown
  /** The decision's place in its trace: apply and effects continue it, whenever and wherever they run. */
  readonly traceparent: string | null
}

export async function appendDecision(tx: Tx, decision: NewDecision, at: Instant): Promise<void> {
  await tx.query(
    sql`
    insert into wm.approvals (tenant_id, id, order_id, revision, decision, digest, actor_type, actor_id, principal, errors, rework_item_ids, policy, traceparent, decided_at)
    values (${tx.tenantId}, ${decision.id}, ${decision.orderId}, ${decision.revision}, ${decision.decision}, ${decision.digest}, ${decision.actorType},
      ${decision.actorId}, ${decision.principal}, ${decision.errors === undefined ? null : JSON.stringify(decision.errors)}::json,
      ${(decision.reworkItemIds as string[] | undefined) ?? null}::uuid[], ${decision.policy === undefined ? null : JSON.stringify(decision.policy)}::json, ${decision.traceparent}, ${at}::timestamptz)`,
    'append_decision',
  )
}

export interface OrderToJudge {
  /** `wm.order_content`; null: there is no such order. */
  readonly content: string | null
  readonly submitted_by: string[]
  readonly held_by: string[]
  readonly handed_in: string[] | null
  /** Of all that took part: who made the key that decides, and of whom the decider made a key. */
  readonly makers: string[]
  readonly made: string[]
}

/** What a decision is about and who was involved with it, in one round trip. `traces`: also where it was handed in. */
export async function readOrderToJudge(
  db: Db,
  tenantId: string,
  orderId: string,
  traces: boolean,
  decider: { readonly principal: string; readonly keyId: string | null },
): Promise<OrderToJudge> {
  const [row] = await db.call<OrderToJudge>(
    tenantId,
    sql`select * from wm.order_to_judge(${tenantId}::uuid, ${orderId}::uuid, ${traces}, ${decider.principal}, ${decider.keyId}::uuid)`,
    'order_to_judge',
  )
  return row!
}

/** Approves the order if it is, under its lock, what was read: `seen` is the SHA-256 of that text. False: nothing happened. */
export async function approveAsSeen(
  db: Db,
  tenantId: string,
  decision: Pick<NewDecision, 'id' | 'orderId' | 'digest' | 'traceparent'> & { readonly seen: Buffer; readonly payload: unknown },
  actor: Actor,
  key: HeldKey,
): Promise<boolean> {
  const [row] = await db.call<{ done: boolean }>(
    tenantId,
    sql`select wm.approve_order(${tenantId}::uuid, ${decision.orderId}::uuid, ${decision.seen}::bytea, ${decision.id}::uuid, ${decision.digest},
      ${JSON.stringify(decision.payload)}, ${actor.actorType}, ${actor.actorId}, ${key.principal}, ${actor.requestId}, ${actor.traceId},
      ${actor.provenanceId}::uuid, ${actor.correlationId}, ${actor.sessionKey}, ${decision.traceparent}, ${key.operation}, ${key.keyHash}::bytea,
      ${key.fingerprint}::bytea, ${key.ttlSeconds}::integer) as done`,
    'approve_order',
  )
  return row!.done
}
