/** What people see of publishers and change by hand, within their tenant. */
import sql from 'sql-template-tag'
import type { Instant, Queryable, Tx } from '../../kernel/store/tx.ts'

export interface PublisherView {
  readonly publisher: string
  readonly seq: number
  readonly head: number
  readonly lag_facts: number
  /** How long the oldest event that it has not come to waits. */
  readonly lag_seconds: number
  readonly parked: number
  readonly trying: number
  readonly connected: boolean | null
  readonly connection_error: string | null
  readonly last_error: string | null
  readonly last_error_at: Instant | null
  readonly last_published_at: Instant | null
}

/** The publishers named, and those that have a cursor from earlier. */
export async function viewPublishers(q: Queryable, named: readonly string[]): Promise<PublisherView[]> {
  return q.query(sql`
    with publishers as (
      select unnest(${[...named]}::text[]) as publisher
      union select c.publisher from wm.publisher_cursors c where c.tenant_id = wm.current_tenant()),
    head as (select coalesce((select h.seq from wm.ledger_heads h where h.tenant_id = wm.current_tenant()), 0) as seq)
    select p.publisher, coalesce(c.seq, 0)::float8 as seq, head.seq::float8 as head, (head.seq - coalesce(c.seq, 0))::float8 as lag_facts,
        coalesce((select greatest(0, extract(epoch from clock_timestamp() - e.sequenced_at)) from wm.events e
          where e.tenant_id = wm.current_tenant() and e.seq = coalesce(c.seq, 0) + 1), 0)::float8 as lag_seconds,
        (select count(*)::int from wm.parked_messages m where m.tenant_id = wm.current_tenant() and m.publisher = p.publisher and m.state <> 'trying') as parked,
        (select count(*)::int from wm.parked_messages m where m.tenant_id = wm.current_tenant() and m.publisher = p.publisher and m.state = 'trying') as trying,
        s.connected, s.error as connection_error, c.last_error, c.last_error_at, c.last_published_at
      from publishers p cross join head
      left join wm.publisher_cursors c on c.tenant_id = wm.current_tenant() and c.publisher = p.publisher
      left join wm.publisher_states s on s.publisher = p.publisher
     order by p.publisher`)
}

export interface ParkedMessage {
  readonly publisher: string
  readonly seq: number
  readonly state: 'trying' | 'parked' | 'retry'
  readonly event_id: string
  readonly order_id: string | null
  readonly item_id: string | null
  readonly kind: string
  readonly reason: string
  readonly tries: number
  readonly first_refused_at: Instant
  readonly last_refused_at: Instant
}

/** By publisher and sequence, after the given place. */
export async function listParkedMessages(
  q: Queryable,
  publisher: string | null,
  after: { readonly publisher: string; readonly seq: string } | null,
  limit: number,
): Promise<ParkedMessage[]> {
  return q.query(sql`
    select m.publisher, m.seq::float8 as seq, m.state, m.event_id, m.order_id, m.item_id, m.kind, m.reason, m.tries, m.first_refused_at, m.last_refused_at
      from wm.parked_messages m
     where m.tenant_id = wm.current_tenant() and (${publisher}::text is null or m.publisher = ${publisher})
       and (m.publisher, m.seq) > (${after?.publisher ?? ''}, ${after?.seq ?? '0'}::bigint)
     order by m.publisher, m.seq limit ${limit}`)
}

/** Asks for another try of what is parked; returns how many. */
export async function retryParkedMessages(tx: Tx, publisher: string, seq: number | null): Promise<number> {
  const rows = await tx.query(sql`
    update wm.parked_messages m set state = 'retry'
     where m.tenant_id = ${tx.tenantId} and m.publisher = ${publisher} and m.state = 'parked' and (${seq}::bigint is null or m.seq = ${seq}::bigint)
    returning 1`)
  return rows.length
}

/** Forgets a message that is set aside; undefined when there is none (one that is still tried is not set aside). */
export async function discardParkedMessage(
  tx: Tx,
  publisher: string,
  seq: number,
): Promise<{ event_id: string; order_id: string | null; item_id: string | null; kind: string; reason: string } | undefined> {
  const [row] = await tx.query<{ event_id: string; order_id: string | null; item_id: string | null; kind: string; reason: string }>(sql`
    delete from wm.parked_messages m
     where m.tenant_id = ${tx.tenantId} and m.publisher = ${publisher} and m.seq = ${seq} and m.state <> 'trying'
    returning m.event_id, m.order_id, m.item_id, m.kind, m.reason`)
  return row
}

/** Locks the publisher's cursor, made if it has none yet, and reads where it and the ledger stand. */
export async function lockCursor(tx: Tx, publisher: string): Promise<{ seq: number; head: number }> {
  await tx.query(sql`insert into wm.publisher_cursors (tenant_id, publisher) values (${tx.tenantId}, ${publisher}) on conflict do nothing`)
  const [row] = await tx.query<{ seq: number; head: number }>(sql`
    select c.seq::float8 as seq, coalesce((select h.seq from wm.ledger_heads h where h.tenant_id = c.tenant_id), 0)::float8 as head
      from wm.publisher_cursors c where c.tenant_id = ${tx.tenantId} and c.publisher = ${publisher} for update of c`)
  return row!
}

/** Whoever publishes just now finds another fence and writes nothing. What was still tried and now lies behind is set aside. */
export async function moveCursor(tx: Tx, publisher: string, seq: number): Promise<void> {
  await tx.query(sql`
    update wm.publisher_cursors c set seq = ${seq}, ahead = '{}', fence = c.fence + 1, lease_expires_at = null, failures = 0, retry_at = null
     where c.tenant_id = ${tx.tenantId} and c.publisher = ${publisher}`)
  await tx.query(sql`
    update wm.parked_messages m set state = 'parked'
     where m.tenant_id = ${tx.tenantId} and m.publisher = ${publisher} and m.state = 'trying' and m.seq <= ${seq}`)
}
