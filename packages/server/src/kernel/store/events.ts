/** The record: facts are appended in the transaction of their change; the ledger numbers them right after. */
import type { EventKind } from '@work-manager/contract'
import sql, { join } from 'sql-template-tag'
import type { Instant, Queryable, Tx } from './tx.ts'

/** Who did it, as events keep it. `actorId` is what is shown; `principal` is the credential behind it. */
export interface Actor {
  readonly actorType: 'user' | 'agent' | 'system'
  readonly actorId: string | null
  readonly principal: string
  readonly requestId: string | null
  readonly provenanceId: string | null
  readonly traceId: string | null
}

export const systemActor = (service: string, traceId: string | null = null): Actor => ({
  actorType: 'system',
  actorId: null,
  principal: `system:${service}`,
  requestId: null,
  provenanceId: null,
  traceId,
})

export interface Fact {
  readonly kind: EventKind
  readonly orderId: string | null
  readonly itemId?: string | null
  readonly orderType?: string | null
  readonly payload?: unknown
  readonly diff?: unknown
  readonly message?: string | null
  /** Defaults to the actor given to `appendEvents`. */
  readonly actor?: Actor
}

const json = (value: unknown): string | null => (value === undefined || value === null ? null : JSON.stringify(value))

/** Appends facts in the order given, all at the decision point `decidedAt`. */
export async function appendEvents(tx: Tx, actor: Actor, decidedAt: Instant, facts: readonly Fact[]): Promise<void> {
  if (facts.length === 0) return
  const rows = facts.map((fact) => {
    const by = fact.actor ?? actor
    return sql`(${tx.tenantId}::uuid, ${fact.orderId}::uuid, ${fact.itemId ?? null}::uuid, ${fact.kind}, ${fact.orderType ?? null}, ${by.actorType},
      ${by.actorId}, ${by.principal}, ${by.requestId}, ${by.traceId}, ${by.provenanceId}::uuid, wm.event_priority(${fact.kind}),
      ${json(fact.payload)}::json, ${json(fact.diff)}::json, ${fact.message ?? null}, ${decidedAt}::timestamptz)`
  })
  for (let from = 0; from < rows.length; from += 500) {
    await tx.query(sql`
      insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, actor_id, principal, request_id, trace_id,
        provenance_id, priority, payload, diff, message, decided_at)
      values ${join(rows.slice(from, from + 500))}`)
  }
}

export interface EventFilter {
  readonly orderId?: string
  readonly itemId?: string
  readonly kind?: string
  readonly principal?: string
  readonly agentId?: string
  readonly modelName?: string
  readonly ip?: string
  readonly requestId?: string
}

/** Event JSON, newest first, at most `limit`, older than position `before` when given; with the position of the last row. */
export async function listEvents(
  q: Queryable,
  filter: EventFilter,
  limit: number,
  before?: string,
): Promise<Array<{ position: string; json: string }>> {
  const wheres = [sql`true`]
  if (filter.orderId) wheres.push(sql`e.order_id = ${filter.orderId}`)
  if (filter.itemId) wheres.push(sql`e.item_id = ${filter.itemId}`)
  if (filter.kind) wheres.push(sql`e.kind = ${filter.kind}`)
  if (filter.principal) wheres.push(sql`e.principal = ${filter.principal}`)
  if (filter.requestId) wheres.push(sql`e.request_id = ${filter.requestId}`)
  if (filter.agentId || filter.modelName || filter.ip) {
    const origin = [sql`true`]
    if (filter.agentId) origin.push(sql`p.agent_id = ${filter.agentId}`)
    if (filter.modelName) origin.push(sql`p.model_name = ${filter.modelName}`)
    if (filter.ip) origin.push(sql`p.ip = ${filter.ip}`)
    wheres.push(
      sql`e.provenance_id in (select p.id from wm.provenance p where p.tenant_id = wm.current_tenant() and ${join(origin, ' and ')})`,
    )
  }
  if (before) wheres.push(sql`e.position < ${before}::bigint`)
  return q.query(sql`
    select e.position::text as position, wm.event_json(e, l.seq)::text as json
      from wm.events e
      left join wm.ledger l on l.tenant_id = e.tenant_id and l.event_position = e.position
     where e.tenant_id = wm.current_tenant() and ${join(wheres, ' and ')}
     order by e.position desc limit ${limit}`)
}

/** Events of the item, and the order-level events of its order, newest first. */
export async function listItemTimeline(
  q: Queryable,
  orderId: string,
  itemId: string,
  limit: number,
  before?: string,
): Promise<Array<{ position: string; json: string }>> {
  const older = before ? sql`and e.position < ${before}::bigint` : sql``
  return q.query(sql`
    select e.position::text as position, wm.event_json(e, l.seq)::text as json
      from wm.events e
      left join wm.ledger l on l.tenant_id = e.tenant_id and l.event_position = e.position
     where e.tenant_id = wm.current_tenant() and e.order_id = ${orderId} and (e.item_id = ${itemId} or e.item_id is null) ${older}
     order by e.position desc limit ${limit}`)
}

/** The diff of the order's apply, as JSON text; undefined before it was applied. */
export async function findDiff(q: Queryable, orderId: string): Promise<string | undefined> {
  const [row] = await q.query<{ diff: string }>(
    sql`
    select e.diff::text as diff from wm.events e
     where e.tenant_id = wm.current_tenant() and e.order_id = ${orderId} and e.kind = 'order.applied' order by e.position desc limit 1`,
    'find_diff',
  )
  return row?.diff
}

/** The attempts that led to a dead letter: the last refusals, failures and expiries of an item, oldest first. */
export async function readCaseFile(q: Queryable, itemId: string): Promise<unknown[]> {
  const rows = await q.query<{ kind: string; payload: unknown; message: string | null; at: string }>(
    sql`
    select * from (
      select e.kind, e.payload, e.message, wm.wire_time(e.decided_at) as at, e.position from wm.events e
       where e.tenant_id = wm.current_tenant() and e.item_id = ${itemId}
         and e.kind in ('item.failed', 'item.lease_expired', 'item.submission_refused', 'item.part_refused')
       order by e.position desc limit 20) latest order by position`,
    'read_case_file',
  )
  return rows.map(({ kind, payload, message, at }) => ({ kind, at, message, payload }))
}

/** Sequenced events of the order with a greater seq, oldest first. */
export async function listOrderTimeline(
  q: Queryable,
  orderId: string,
  afterSeq: number,
  limit: number,
): Promise<Array<{ seq: string; json: string }>> {
  return q.query(
    sql`
    select l.seq::text as seq, wm.event_json(e, l.seq)::text as json
      from wm.events e
      join wm.ledger l on l.tenant_id = e.tenant_id and l.event_position = e.position
     where e.tenant_id = wm.current_tenant() and e.order_id = ${orderId} and l.seq > ${afterSeq}
     order by l.seq limit ${limit}`,
    'list_order_timeline',
  )
}
