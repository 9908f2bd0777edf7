/** Parts: append-only revisions per (part_key, seq); a refused revision never hides a validated one. */
import type { PartStatus } from '@work-manager/contract'
import sql, { join } from 'sql-template-tag'
import type { Instant, Queryable, Tx } from '../../kernel/store/tx.ts'

export interface NewPart {
  readonly id: string
  readonly orderId: string
  readonly itemId: string
  readonly partKey: string
  readonly seq: number | null
  readonly status: PartStatus
  readonly payload: unknown
  readonly evidence: unknown
  readonly notes: string | null
  readonly errors: unknown
  readonly checksum: string
  readonly agentId: string
  readonly principal: string
  readonly generation: string
}

const text = (value: unknown): string | null => (value === undefined || value === null ? null : JSON.stringify(value))

/** Appends the next revision of the slot and returns its number. The caller holds the item's lock. */
export async function appendPart(tx: Tx, part: NewPart, at: Instant): Promise<number> {
  const [row] = await tx.query<{ revision: number }>(
    sql`
    insert into wm.parts (tenant_id, id, order_id, item_id, part_key, seq, revision, status, payload, evidence, notes, errors, checksum,
      submitted_by_agent_id, submitted_by_principal, generation, created_at)
    select ${tx.tenantId}, ${part.id}, ${part.orderId}, ${part.itemId}, ${part.partKey}, ${part.seq},
      1 + coalesce((select max(p.revision) from wm.parts p where p.tenant_id = ${tx.tenantId} and p.item_id = ${part.itemId}
        and p.part_key = ${part.partKey} and coalesce(p.seq, -1) = coalesce(${part.seq}::integer, -1)), 0),
      ${part.status}, ${text(part.payload)}::json, ${text(part.evidence)}::json, ${part.notes}, ${text(part.errors)}::json, ${part.checksum},
      ${part.agentId}, ${part.principal}, ${part.generation}::bigint, ${at}::timestamptz
    returning revision`,
    'append_part',
  )
  return row!.revision
}

export async function countParts(q: Queryable, itemId: string): Promise<number> {
  const [row] = await q.query<{ n: number }>(
    sql`select count(*)::int as n from wm.parts where tenant_id = wm.current_tenant() and item_id = ${itemId}`,
    'count_parts',
  )
  return row!.n
}

/** Bytes that finalize would put together of the other slots. */
export async function sizeOfOtherParts(q: Queryable, itemId: string, slot: { partKey: string; seq: number | null }): Promise<number> {
  const [row] = await q.query<{ bytes: string }>(
    sql`
    select coalesce(sum(octet_length(payload::text) + coalesce(octet_length(evidence::text), 0)), 0)::text as bytes from (
      select distinct on (p.part_key, coalesce(p.seq, -1)) p.payload, p.evidence
        from wm.parts p where p.tenant_id = wm.current_tenant() and p.item_id = ${itemId} and p.status = 'validated'
         and (p.part_key, coalesce(p.seq, -1)) is distinct from (${slot.partKey}, coalesce(${slot.seq}::integer, -1))
       order by p.part_key, coalesce(p.seq, -1), p.revision desc) latest`,
    'size_of_other_parts',
  )
  return Number(row!.bytes)
}

export interface ValidPart {
  readonly part_key: string
  readonly seq: number | null
  readonly payload: unknown
  readonly evidence: unknown
  readonly checksum: string
  readonly created_at: Instant
}

/** The latest validated revision of every slot, by key, then seq (a part without seq first). */
export async function loadValidParts(q: Queryable, itemId: string): Promise<ValidPart[]> {
  return q.query<ValidPart>(
    sql`
    select distinct on (p.part_key, coalesce(p.seq, -1)) p.part_key, p.seq, p.payload, p.evidence, p.checksum, p.created_at
      from wm.parts p where p.tenant_id = wm.current_tenant() and p.item_id = ${itemId} and p.status = 'validated'
     order by p.part_key, coalesce(p.seq, -1), p.revision desc`,
    'load_valid_parts',
  )
}

/** The same slots, without what is in them. */
export async function loadValidSlots(q: Queryable, itemId: string): Promise<Pick<ValidPart, 'part_key' | 'seq' | 'checksum'>[]> {
  return q.query(
    sql`
    select distinct on (p.part_key, coalesce(p.seq, -1)) p.part_key, p.seq, p.checksum
      from wm.parts p where p.tenant_id = wm.current_tenant() and p.item_id = ${itemId} and p.status = 'validated'
     order by p.part_key, coalesce(p.seq, -1), p.revision desc`,
    'load_valid_slots',
  )
}

/** part_key → {status, seq, checksum, submitted_at}: of each key the highest seq that is validated, else the latest refusal. */
export async function readPartsState(q: Queryable, itemId: string): Promise<Record<string, unknown>> {
  const rows = await q.query<{ part_key: string; status: string; seq: number | null; checksum: string; submitted_at: string }>(
    sql`
    select distinct on (p.part_key) p.part_key, p.status, p.seq, p.checksum, wm.wire_time(p.created_at) as submitted_at
      from wm.parts p where p.tenant_id = wm.current_tenant() and p.item_id = ${itemId}
     order by p.part_key, (p.status = 'validated') desc, coalesce(p.seq, -1) desc, p.revision desc`,
    'read_parts_state',
  )
  return Object.fromEntries(rows.map(({ part_key, ...state }) => [part_key, state]))
}

/** Part JSON ordered by part_key, seq descending, revision descending. */
export async function renderParts(
  q: Queryable,
  itemId: string,
  filter: { partKey?: string | undefined; status?: string | undefined },
): Promise<Array<{ json: string }>> {
  const wheres = [sql`p.tenant_id = wm.current_tenant()`, sql`p.item_id = ${itemId}`]
  if (filter.partKey) wheres.push(sql`p.part_key = ${filter.partKey}`)
  if (filter.status) wheres.push(sql`p.status = ${filter.status}`)
  return q.query<{ json: string }>(sql`
    select wm.part_json(p)::text as json from wm.parts p where ${join(wheres, ' and ')}
     order by p.part_key, p.seq desc nulls last, p.revision desc limit 1000`)
}
