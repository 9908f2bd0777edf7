/** What events say about results, decisions and documents, beside what stands in the tables. */
import sql from 'sql-template-tag'
import type { Queryable, SystemDb } from '../../kernel/store/tx.ts'

export interface SaidOfResult {
  readonly seq: string
  readonly item_id: string
  readonly said: string | null
  /** Null: the submission is gone. */
  readonly kept: string | null
  readonly result: unknown
  readonly evidence: unknown
  readonly notes: string | null
}
/** `item.submitted` in the range, with the submissions; a few at a time, since results are large. */
export function readResults(q: Queryable, range: { after: number; through: number }, most: number): Promise<SaidOfResult[]> {
  return q.query(
    sql`
    select e.seq::text as seq, e.subject_id as item_id, e.payload ->> 'digest' as said, s.digest as kept, s.result, s.evidence, s.notes
      from (select * from wm.events e where e.tenant_id = wm.current_tenant() and e.seq > ${range.after} and e.seq <= ${range.through}
               and e.kind = 'item.submitted' order by e.seq limit ${most}) e
      left join wm.submissions s on s.tenant_id = e.tenant_id and s.item_id = e.subject_id and s.number = (e.payload ->> 'number')::integer
     order by e.seq`,
    'read_results',
  )
}

export interface SaidOfOrder {
  readonly seq: string
  readonly kind: 'order.approved' | 'order.applied'
  readonly order_id: string
  readonly payload: {
    readonly digest?: string
    readonly approval_id?: string
    readonly document?: string
    readonly documents?: ReadonlyArray<{ collection: string; key: string; digest: string | null }>
  } | null
  /** The digest of the decision as it stands; null: it is gone. */
  readonly decided: string | null
}
export function readDecisions(q: Queryable, range: { after: number; through: number }, most: number): Promise<SaidOfOrder[]> {
  return q.query(
    sql`
    select e.seq::text as seq, e.kind, e.root_id as order_id, e.payload, a.digest as decided
      from (select * from wm.events e where e.tenant_id = wm.current_tenant() and e.seq > ${range.after} and e.seq <= ${range.through}
               and e.kind in ('order.approved', 'order.applied') order by e.seq limit ${most}) e
      left join wm.approvals a on a.tenant_id = e.tenant_id and a.id::text = e.payload ->> 'approval_id' and a.decision = 'approved'
     order by e.seq`,
    'read_decisions',
  )
}

/** A document and the order that wrote it last. */
export async function readDocument(
  q: Queryable,
  collection: string,
  key: string,
): Promise<{ value: unknown; order_id: string } | undefined> {
  const [row] = await q.query<{ value: unknown; order_id: string }>(
    sql`select value, order_id from wm.records where tenant_id = wm.current_tenant() and collection = ${collection} and key = ${key}`,
    'read_document',
  )
  return row
}

/** Whether a later apply says that it wrote or deleted the document. */
export async function isWrittenLater(q: Queryable, seq: string, collection: string, key: string): Promise<boolean> {
  const [row] = await q.query<{ found: boolean }>(
    sql`
    select exists (select from wm.events e, json_array_elements(e.payload -> 'documents') d
                    where e.tenant_id = wm.current_tenant() and e.kind = 'order.applied' and e.seq > ${seq}::bigint
                      and d ->> 'collection' = ${collection} and d ->> 'key' = ${key}) as found`,
    'is_written_later',
  )
  return row!.found
}

export interface CheckDue {
  readonly tenant_id: string
  readonly through: string
  readonly damage: string | null
  /** The whole of it was looked at within a day. */
  readonly is_fresh: boolean
}
/** Tenants that were not looked at for so long, those that waited longest first. */
export function findChecksDue(system: SystemDb, everySeconds: number, most: number): Promise<CheckDue[]> {
  return system.query(
    sql`
    select t.id as tenant_id, coalesce(c.through, 0)::text as through, c.damage,
           coalesce(c.whole_at > clock_timestamp() - interval '1 day', false) as is_fresh
      from wm.tenants t left join wm.record_checks c on c.tenant_id = t.id
     where c.tenant_id is null or c.checked_at <= clock_timestamp() - make_interval(secs => ${everySeconds})
     order by c.checked_at nulls first limit ${most}`,
    'find_checks_due',
  )
}

export interface Checked {
  readonly through: number
  /** There is more: it is due again at once. */
  readonly isPart: boolean
  readonly isWhole: boolean
  readonly damage: { readonly damage: string; readonly seq: number; readonly detail: string } | null
}
export async function keepCheck(system: SystemDb, tenantId: string, { through, isPart, isWhole, damage }: Checked): Promise<void> {
  await system.query(
    sql`
    insert into wm.record_checks (tenant_id, through, checked_at, whole_at, damage, damage_seq, damage_detail, damage_since)
    values (${tenantId}, ${through}, case when ${isPart} then '-infinity' else clock_timestamp() end, case when ${isWhole} then clock_timestamp() end,
      ${damage?.damage ?? null}, ${damage?.seq ?? null}::bigint, ${damage?.detail ?? null}, case when ${damage !== null} then clock_timestamp() end)
    on conflict (tenant_id) do update set through = excluded.through, checked_at = excluded.checked_at,
      whole_at = coalesce(excluded.whole_at, record_checks.whole_at), damage = excluded.damage, damage_seq = excluded.damage_seq,
      damage_detail = excluded.damage_detail, damage_since = case when excluded.damage is not null then coalesce(record_checks.damage_since, excluded.damage_since) end`,
    'keep_check',
  )
}

export interface DamagedRecord {
  readonly tenant: string
  readonly damage: string
  readonly seq: string
  readonly detail: string
}
export function listDamaged(system: Queryable): Promise<DamagedRecord[]> {
  return system.query(
    sql`select t.slug as tenant, c.damage, c.damage_seq::text as seq, c.damage_detail as detail
          from wm.record_checks c join wm.tenants t on t.id = c.tenant_id where c.damage is not null order by t.slug`,
    'list_damaged',
  )
}
