/** Decisions on orders: who, which digest, why. Append only. */
import sql from 'sql-template-tag'
import type { Instant, Queryable, Tx } from '../../kernel/store/tx.ts'

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

export interface DecisionRow {
  readonly digest: string | null
  readonly principal: string
  readonly actor_id: string | null
  readonly traceparent: string | null
}

export async function findDecision(q: Queryable, id: string): Promise<DecisionRow | undefined> {
  const [row] = await q.query<DecisionRow>(
    sql`select digest, principal, actor_id, traceparent from wm.approvals where tenant_id = wm.current_tenant() and id = ${id}`,
    'find_decision',
  )
  return row
}
