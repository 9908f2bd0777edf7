/** The record: events are taken in with the transaction of their change; numbering (routines/30_numbering.sql) gives them their place. */
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
  /** Of the call; events of a story that has its own keep that one. */
  readonly correlationId: string | null
  readonly sessionKey: string | null
}

export const systemActor = (service: string, traceId: string | null = null): Actor => ({
  actorType: 'system',
  actorId: null,
  principal: `system:${service}`,
  requestId: null,
  provenanceId: null,
  traceId,
  correlationId: null,
  sessionKey: null,
})

/** What an event is about. The first word of its kind names the sort of thing. */
export interface Subject {
  readonly subjectId?: string | null
  /** What is kept in order: the order of an item, a part or an effect; else the subject itself. */
  readonly rootId?: string | null
  /** What stands for it in metrics and lists: an order type, a publisher, what is paused. */
  readonly label?: string | null
  readonly correlationId?: string | null
  readonly sessionKey?: string | null
}

export interface NewEvent extends Subject {
  readonly kind: EventKind
  /** Given where another event names it as its cause. */
  readonly id?: string | null
  readonly causationId?: string | null
  readonly payload?: unknown
  readonly diff?: unknown
  readonly message?: string | null
  /** Why, in a word of a closed set: what metrics count by. */
  readonly reason?: string | null
  /** How long what ended here took. */
  readonly seconds?: number | null
  /** Defaults to the actor given to `appendEvents`. */
  readonly actor?: Actor
}

/** The story that an order began. */
export interface Story {
  readonly correlation_id: string | null
  readonly session_key: string | null
}
interface OrderOfEvent extends Story {
  readonly id: string
  readonly type: string
}

export const ofOrder = (order: OrderOfEvent): Subject => ({
  subjectId: order.id,
  rootId: order.id,
  label: order.type,
  correlationId: order.correlation_id,
  sessionKey: order.session_key,
})
/** Something that belongs to the order: an item, an effect. */
export const partOf = (order: OrderOfEvent, subjectId: string): Subject => ({ ...ofOrder(order), subjectId })
export const ofItem = (item: Story & { readonly id: string; readonly order_id: string; readonly order_type: string }): Subject => ({
  subjectId: item.id,
  rootId: item.order_id,
  label: item.order_type,
  correlationId: item.correlation_id,
  sessionKey: item.session_key,
})
/** Something that stands for itself: a key, a tenant. */
export const ofItself = (subjectId: string, label: string | null = null): Subject => ({ subjectId, rootId: subjectId, label })

const json = (value: unknown): string | null => (value === undefined || value === null ? null : JSON.stringify(value))
/** Seconds between two moments, to the millisecond. */
export const secondsBetween = (from: Instant, to: Instant): number => (Date.parse(to) - Date.parse(from)) / 1000

/** So many events go into one row: numbering takes whole rows, and a pass should be short. */
const mostPerRow = 500

/** Appends events in the order given, all at the decision point `decidedAt`. */
export async function appendEvents(tx: Tx, actor: Actor, decidedAt: Instant, events: readonly NewEvent[]): Promise<void> {
  for (let from = 0; from < events.length; from += mostPerRow) {
    const part = events.slice(from, from + mostPerRow)
    /** One column; null when nobody has a value, which is shorter. */
    const column = <T>(of: (event: NewEvent, by: Actor) => T | null | undefined): Array<T | null> | null => {
      const values = part.map((event) => of(event, event.actor ?? actor) ?? null)
      return values.some((value) => value !== null) ? values : null
    }
    await tx.query(
      sql`
      insert into wm.intake (tenant_id, decided_at, kinds, ids, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
        trace_ids, provenance_ids, correlation_ids, causation_ids, session_keys, payloads, diffs, messages, reasons, seconds)
      values (${tx.tenantId}::uuid, ${decidedAt}::timestamptz, ${part.map((event) => event.kind)}::text[], ${column((e) => e.id)}::uuid[],
        ${column((e) => e.subjectId)}::uuid[], ${column((e) => e.rootId)}::uuid[], ${column((e) => e.label)}::text[],
        ${column((_, by) => by.actorType)}::text[], ${column((_, by) => by.actorId)}::text[], ${column((_, by) => by.principal)}::text[],
        ${column((_, by) => by.requestId)}::text[], ${column((_, by) => by.traceId)}::text[], ${column((_, by) => by.provenanceId)}::uuid[],
        ${column((e, by) => e.correlationId ?? by.correlationId)}::text[], ${column((e) => e.causationId)}::uuid[],
        ${column((e, by) => e.sessionKey ?? by.sessionKey)}::text[], ${column((e) => json(e.payload))}::text[],
        ${column((e) => json(e.diff))}::text[], ${column((e) => e.message)}::text[], ${column((e) => e.reason)}::text[],
        ${column((e) => e.seconds)}::numeric[])`,
      'append_events',
    )
  }
}

export interface EventFilter {
  readonly rootId?: string
  readonly kind?: string
  readonly correlationId?: string
  readonly principal?: string
  readonly agentId?: string
  readonly modelName?: string
  readonly ip?: string
  readonly requestId?: string
}

/** Kinds that are found by their own indexes (migrations/000007_record.sql); the others are those of the lease cycle, found by their root. */
const isRare = sql`e.kind not in ('item.leased', 'item.in_progress', 'item.heartbeat', 'item.submitted', 'order.checked_out', 'order.in_progress', 'order.submitted')`

/** Event JSON, newest first, at most `limit`, with a smaller seq than `before` when given. Only what is numbered: see `readRecord`. */
export async function listEvents(
  q: Queryable,
  filter: EventFilter,
  limit: number,
  before?: string,
): Promise<Array<{ seq: string; json: string }>> {
  const wheres = [sql`true`]
  if (filter.rootId) wheres.push(sql`e.root_id = ${filter.rootId}`)
  if (filter.kind) wheres.push(sql`e.kind = ${filter.kind}`)
  if (filter.principal) wheres.push(sql`e.principal = ${filter.principal}`)
  if (filter.requestId) wheres.push(sql`e.request_id = ${filter.requestId}`)
  // Every story has a rare event (it was proposed), and through its root all the others. Each arm says all that its index asks for: told
  // once for both, or with a subselect instead of an array, nothing fits an index and the whole record is read (100 ms at 150,000 events).
  if (filter.correlationId)
    wheres.push(sql`(e.correlation_id = ${filter.correlationId} and ${isRare} or e.root_id = any (array(
      select e.root_id from wm.events e where e.tenant_id = wm.current_tenant() and e.correlation_id = ${filter.correlationId} and ${isRare}))
      and e.correlation_id = ${filter.correlationId})`)
  if (filter.agentId || filter.modelName || filter.ip) {
    const origin = [sql`true`]
    if (filter.agentId) origin.push(sql`p.agent_id = ${filter.agentId}`)
    if (filter.modelName) origin.push(sql`p.model_name = ${filter.modelName}`)
    if (filter.ip) origin.push(sql`p.ip = ${filter.ip}`)
    wheres.push(
      sql`e.provenance_id in (select p.id from wm.provenance p where p.tenant_id = wm.current_tenant() and ${join(origin, ' and ')})`,
    )
  }
  if (before) wheres.push(sql`e.seq < ${before}::bigint`)
  return q.query(sql`
    select e.seq::text as seq, wm.event_json(e)::text as json
      from wm.events e
     where e.tenant_id = wm.current_tenant() and ${join(wheres, ' and ')}
     order by e.seq desc limit ${limit}`)
}

/** What counts as a failure of work; each is rare in the sense of `isRare`. */
export const failureKinds = [
  'item.failed',
  'order.apply_failed',
  'item.submission_refused',
  'item.part_refused',
  'item.lease_expired',
] as const satisfies readonly EventKind[]

export interface FailureEvent {
  readonly kind: string
  readonly type: string | null
  readonly class: string | null
  readonly code: string | null
  readonly message: string | null
  readonly at: string
  readonly subject_id: string | null
}

/** Failures of a time window (a day where it has no begin), newest first, at most so many of each kind. */
export async function listFailures(
  q: Queryable,
  window: { readonly since?: string | undefined; readonly until?: string | undefined; readonly type?: string | undefined },
  perKind: number,
): Promise<FailureEvent[]> {
  return q.query(
    sql`
    select f.kind, f.label as type, case when f.kind = 'item.failed' then f.payload #>> '{error,class}' end as class,
           coalesce(f.payload #>> '{error,code}', f.payload #>> '{errors,0,code}', f.payload ->> 'code') as code,
           left(coalesce(f.payload #>> '{error,message}', f.payload #>> '{errors,0,message}', f.message), 500) as message,
           wm.wire_time(f.decided_at) as at, f.subject_id
      from unnest(${[...failureKinds]}::text[]) k
      cross join lateral (
        select e.* from wm.events e
         where e.tenant_id = wm.current_tenant() and e.kind = k and ${isRare}
           and e.decided_at >= coalesce(${window.since ?? null}::timestamptz, now() - interval '1 day')
           and e.decided_at < coalesce(${window.until ?? null}::timestamptz, 'infinity')
           and (${window.type ?? null}::text is null or e.label = ${window.type ?? null})
         order by e.seq desc limit ${perKind}) f
     order by f.seq desc`,
    'list_failures',
  )
}

/** Events of the item, and the order-level events of its order, newest first. */
export async function listItemTimeline(
  q: Queryable,
  orderId: string,
  itemId: string,
  limit: number,
  before?: string,
): Promise<Array<{ seq: string; json: string }>> {
  return q.query(
    sql`
    select e.seq::text as seq, wm.event_json(e)::text as json
      from wm.events e
     where e.tenant_id = wm.current_tenant() and e.root_id = ${orderId} and (e.subject_type <> 'item' or e.subject_id = ${itemId})
       and e.seq < ${before ?? '9223372036854775807'}::bigint
     order by e.seq desc limit ${limit}`,
    'list_item_timeline',
  )
}

/** The diff of the order's apply, as JSON text; undefined before it was applied. Numbered or not: whoever applied it is waiting. */
export async function findDiff(q: Queryable, orderId: string): Promise<string | undefined> {
  const [row] = await q.query<{ diff: string }>(
    sql`
    (select u.diff::text as diff from wm.unnumbered u
      where u.tenant_id = wm.current_tenant() and u.root_id = ${orderId} and u.kind = 'order.applied' order by u.intake_id desc, u.n desc limit 1)
    union all
    (select e.diff::text as diff from wm.events e
      where e.tenant_id = wm.current_tenant() and e.subject_id = ${orderId} and e.kind = 'order.applied' order by e.seq desc limit 1)
    limit 1`,
    'find_diff',
  )
  return row?.diff
}

/** The attempts that led to a dead letter: the last refusals, failures and expiries of an item, oldest first; numbered or not. */
export async function readCaseFile(q: Queryable, itemId: string): Promise<unknown[]> {
  const rows = await q.query<{ kind: string; payload: unknown; message: string | null; at: string }>(
    sql`
    select l.kind, l.payload, l.message, wm.wire_time(l.decided_at) as at from (
      select * from (
        (select 1 as place, e.seq as row, 0 as n, e.kind, e.payload, e.message, e.decided_at from wm.events e
          where e.tenant_id = wm.current_tenant() and e.subject_id = ${itemId}
            and e.kind in ('item.failed', 'item.lease_expired', 'item.submission_refused', 'item.part_refused')
          order by e.seq desc limit 20)
        union all
        select 2, u.intake_id, u.n, u.kind, u.payload, u.message, u.decided_at from wm.unnumbered u
         where u.tenant_id = wm.current_tenant() and u.subject_id = ${itemId}
           and u.kind in ('item.failed', 'item.lease_expired', 'item.submission_refused', 'item.part_refused')) all_of_them
       order by place desc, row desc, n desc limit 20) l
     order by l.place, l.row, l.n`,
    'read_case_file',
  )
  return rows.map(({ kind, payload, message, at }) => ({ kind, at, message, payload }))
}

/** Events of the order with a greater seq, oldest first. */
export async function listOrderTimeline(
  q: Queryable,
  orderId: string,
  afterSeq: number,
  limit: number,
): Promise<Array<{ seq: string; json: string }>> {
  return q.query(
    sql`
    select e.seq::text as seq, wm.event_json(e)::text as json
      from wm.events e
     where e.tenant_id = wm.current_tenant() and e.root_id = ${orderId} and e.seq > ${afterSeq}
     order by e.seq limit ${limit}`,
    'list_order_timeline',
  )
}
