/** Numbering and reading the record: passes over the intake, entries of a chain with the events behind them, the head of a chain. */
import sql from 'sql-template-tag'
import type { EventTally } from '../metrics/from-events.ts'
import type { Queryable, SystemDb } from '../kernel/store/tx.ts'

export interface NumberingFailure {
  readonly tenant_id: string
  readonly code: string
  readonly message: string
}
export interface NumberingPass {
  readonly done: number
  /** There is more than this pass took. */
  readonly more: boolean
  readonly counts: readonly EventTally[] | null
  readonly failed: readonly NumberingFailure[] | null
  /** The tenant to go on behind; null: this was the last of them. */
  readonly last: string | null
}

/** Numbers up to about `limit` events of the tenants behind `after` that nobody else numbers just now. */
export async function numberPass(
  system: SystemDb,
  range: { readonly limit: number; readonly after: string | null; readonly without: readonly string[] },
): Promise<NumberingPass> {
  const [row] = await system.query<NumberingPass>(
    sql`select done, more, counts, failed, last from wm.number_pass(${range.limit}, ${range.after}::uuid, ${[...range.without]}::uuid[])`,
    'number_pass',
  )
  return row!
}

/** Numbers up to about `limit` events of one tenant, oldest first; waits for whoever numbers it just now. */
export async function numberTenant(
  system: SystemDb,
  tenantId: string,
  limit: number,
): Promise<{ done: number; more: boolean; reached: string | null; counts: readonly EventTally[] | null }> {
  const [row] = await system.query<{ done: number; more: boolean; reached: string | null; counts: readonly EventTally[] | null }>(
    sql`select done, more, reached::text as reached, counts from wm.number_tenants(array[${tenantId}::uuid], ${limit}, true)`,
    'number_tenant',
  )
  return row!
}

/** Tenants behind `after` with something in the intake. */
export async function tenantsWithNews(
  system: SystemDb,
  range: { readonly after: string | null; readonly without: readonly string[]; readonly most: number },
): Promise<string[]> {
  const rows = await system.query<{ id: string }>(
    sql`select t.id from wm.tenants_with_news(${range.after}::uuid, ${[...range.without]}::uuid[], ${range.most}) as t(id)`,
    'tenants_with_news',
  )
  return rows.map((row) => row.id)
}

export interface LedgerHead {
  readonly seq: number
  readonly hash: string
}

/** Where the tenant's chain ends; undefined before its first event was numbered. */
export async function findLedgerHead(q: Queryable, tenantId: string): Promise<LedgerHead | undefined> {
  const [row] = await q.query<{ seq: string; hash: string }>(
    sql`select h.seq::text as seq, encode(h.hash, 'hex') as hash from wm.ledger_heads h where h.tenant_id = ${tenantId} and h.seq > 0`,
    'find_ledger_head',
  )
  return row && { seq: Number(row.seq), hash: row.hash }
}

/**
 * Entries with `after < seq <= through` as JSON, in order. Payload, diff and seconds are strings with their stored text: a hash hangs on
 * their bytes, which a JSON reader would not give back.
 * A page never ends between entries of one number: a forged second one would fall between two pages, and nobody would see it.
 */
export async function renderLedger(
  q: Queryable,
  tenantId: string,
  range: { after: number; through: number; limit: number },
): Promise<Array<{ seq: number; json: string }>> {
  const rows = await q.query<{ seq: string; json: string }>(
    sql`
    select e.seq::text as seq, json_build_object(
        'seq', e.seq, 'hash_version', e.hash_version,
        'prev_hash', encode(case when e.seq = 1 then decode(repeat('00', 32), 'hex') else e.before end, 'hex'), 'hash', encode(e.hash, 'hex'),
        'event', json_build_object(
          'id', e.id, 'kind', e.kind, 'decided_at', wm.wire_time(e.decided_at),
          'subject_type', e.subject_type, 'subject_id', e.subject_id, 'root_id', e.root_id, 'label', e.label,
          'actor_type', e.actor_type, 'actor_id', e.actor_id, 'principal', e.principal, 'request_id', e.request_id, 'trace_id', e.trace_id,
          'provenance_id', e.provenance_id, 'correlation_id', e.correlation_id, 'causation_id', e.causation_id, 'session_key', e.session_key,
          'priority', e.priority, 'reason', e.reason, 'seconds', e.seconds::text,
          'payload', e.payload::text, 'diff', e.diff::text, 'message', e.message))::text as json
      from (select r.*, lag(r.hash) over (order by r.seq) as before
              from (select * from wm.events e
                     where e.tenant_id = ${tenantId} and e.seq >= ${range.after} and e.seq <= ${range.through}
                     order by e.seq fetch first (${range.limit + 1}) rows with ties) r) e
     where e.seq > ${range.after}
     order by e.seq fetch first (${range.limit}) rows with ties`,
    'render_ledger',
  )
  return rows.map(({ seq, json }) => ({ seq: Number(seq), json }))
}

/** An event that stands behind the end of the chain: numbering put none there. Only a hand inside the database makes one. */
export async function findEventBeyondHead(
  q: Queryable,
  tenantId: string,
): Promise<{ id: string; kind: string; seq: string; decided_at: string } | undefined> {
  const [row] = await q.query<{ id: string; kind: string; seq: string; decided_at: string }>(
    sql`
    select e.id, e.kind, e.seq::text as seq, wm.wire_time(e.decided_at) as decided_at from wm.events e
     where e.tenant_id = ${tenantId} and e.seq > coalesce((select h.seq from wm.ledger_heads h where h.tenant_id = ${tenantId}), 0)
     order by e.seq limit 1`,
    'find_event_beyond_head',
  )
  return row
}

/** Where every tenant's chain ends. */
export function ledgerHeads(system: Queryable): Promise<Array<{ tenant_id: string; seq: string }>> {
  return system.query(sql`select tenant_id, seq::text as seq from wm.ledger_heads`, 'ledger_heads')
}

/** What the events after `after` are about, in words (`order`, `item` …); null when there are too many to look at. */
export async function changedFamilies(
  system: Queryable,
  tenantId: string,
  range: { after: string; through: string },
): Promise<string[] | null> {
  if (BigInt(range.through) - BigInt(range.after) > 1000n) return null
  const rows = await system.query<{ family: string }>(
    sql`
    select distinct e.subject_type as family from wm.events e
     where e.tenant_id = ${tenantId} and e.seq > ${range.after} and e.seq <= ${range.through}`,
    'changed_families',
  )
  return rows.map((row) => row.family)
}
