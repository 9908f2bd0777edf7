/** Reading the ledger: entries with the facts they number, the head of a chain, and facts that were never numbered. */
import sql from 'sql-template-tag'
import type { FactCount } from '../metrics/from-facts.ts'
import type { Queryable } from '../kernel/store/tx.ts'

export interface LedgerHead {
  readonly seq: number
  readonly hash: string
}

/** Where the tenant's chain ends; undefined before its first fact was numbered. */
export async function findLedgerHead(q: Queryable, tenantId: string): Promise<LedgerHead | undefined> {
  const [row] = await q.query<{ seq: string; hash: string }>(
    sql`select h.seq::text as seq, encode(h.hash, 'hex') as hash from wm.ledger_heads h where h.tenant_id = ${tenantId}`,
    'find_ledger_head',
  )
  return row && { seq: Number(row.seq), hash: row.hash }
}

/**
 * Entries with `after < seq <= through` as JSON, in order. Payload and diff are strings with their stored text: a hash hangs on their
 * bytes, which a JSON reader would not give back. A fact that is gone leaves `"event": null`.
 */
export async function renderLedger(
  q: Queryable,
  tenantId: string,
  range: { after: number; through: number; limit: number },
): Promise<Array<{ seq: number; json: string }>> {
  const rows = await q.query<{ seq: string; json: string }>(
    sql`
    select l.seq::text as seq, json_build_object(
        'seq', l.seq, 'prev_hash', encode(l.prev_hash, 'hex'), 'hash', encode(l.hash, 'hex'),
        'event', case when e.id is not null then json_build_object(
          'id', e.id, 'order_id', e.order_id, 'item_id', e.item_id, 'kind', e.kind, 'decided_at', wm.wire_time(e.decided_at),
          'actor_type', e.actor_type, 'actor_id', e.actor_id, 'principal', e.principal,
          'payload', e.payload::text, 'diff', e.diff::text, 'message', e.message) end)::text as json
      from wm.ledger l
      left join wm.events e on e.tenant_id = l.tenant_id and e.position = l.event_position and e.decided_at = l.event_decided_at
     where l.tenant_id = ${tenantId} and l.seq > ${range.after} and l.seq <= ${range.through}
     order by l.seq limit ${range.limit}`,
    'render_ledger',
  )
  return rows.map(({ seq, json }) => ({ seq: Number(seq), json }))
}

/** A fact that the sequencer will never number: below its low-water mark and without an entry. Only a hand inside the database makes one. */
export async function findUnnumberedFact(
  q: Queryable,
  tenantId: string,
): Promise<{ id: string; kind: string; decided_at: string } | undefined> {
  const [row] = await q.query<{ id: string; kind: string; decided_at: string }>(sql`
    select e.id, e.kind, wm.wire_time(e.decided_at) as decided_at from wm.events e
     where e.tenant_id = ${tenantId} and e.xid < (select p.low_water_xid from wm.ledger_progress p)
       and not exists (select from wm.ledger l where l.tenant_id = e.tenant_id and l.event_position = e.position)
     order by e.position limit 1`)
  return row
}

/** One pass of the sequencer; -1 done when another process is numbering just now. */
export async function numberFacts(
  system: Queryable,
  { limit, sweep }: { limit: number; sweep: boolean },
): Promise<{ done: number; facts: FactCount[] | null }> {
  const [row] = await system.query<{ done: number; facts: FactCount[] | null }>(
    sql`select done, facts from wm.sequence(${limit}, ${sweep})`,
    'sequence',
  )
  return row!
}

/** Where every tenant's chain ends. */
export function ledgerHeads(system: Queryable): Promise<Array<{ tenant_id: string; seq: string }>> {
  return system.query(sql`select tenant_id, seq::text as seq from wm.ledger_heads`, 'ledger_heads')
}

/**
 * First words of the kinds of the facts after `after`; null when there are too many to look at. Each fact is looked up for itself: a join
 * that is planned while the tables look empty reads the tenant's whole history instead (5 s under load, and then the time is over).
 */
export async function changedFamilies(
  system: Queryable,
  tenantId: string,
  range: { after: string; through: string },
): Promise<string[] | null> {
  if (BigInt(range.through) - BigInt(range.after) > 1000n) return null
  const rows = await system.query<{ family: string }>(
    sql`
    select distinct f.family from (
      select (select split_part(e.kind, '.', 1) from wm.events e
               where e.tenant_id = l.tenant_id and e.position = l.event_position and e.decided_at = l.event_decided_at) as family
        from wm.ledger l
       where l.tenant_id = ${tenantId} and l.seq > ${range.after} and l.seq <= ${range.through}) f
     where f.family is not null`,
    'changed_families',
  )
  return rows.map((row) => row.family)
}
