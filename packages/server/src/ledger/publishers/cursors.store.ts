/** How far each publisher is in each tenant's ledger: taking a cursor, reading what comes next, writing down what became of it. */
import sql, { join } from 'sql-template-tag'
import type { Instant, Queryable, SystemDb } from '../../kernel/store/tx.ts'

export interface Cursor {
  readonly tenantId: string
  /** Whoever writes must still hold this number. */
  readonly fence: string
  readonly seq: number
  /** Delivered beyond seq already. */
  readonly ahead: readonly number[]
  readonly failures: number
  /** The end of the tenant's ledger when the cursor was taken. */
  readonly head: number
}

export interface LedgerEvent {
  readonly seq: number
  readonly id: string
  readonly kind: string
  readonly subject_id: string | null
  readonly root_id: string | null
  readonly order_id: string | null
  readonly item_id: string | null
  readonly correlation_id: string | null
  readonly causation_id: string | null
  readonly request_id: string | null
  readonly trace_id: string | null
  readonly decided_at: Instant
  /** As the events list gives it. */
  readonly json: string
}

/** Gives a publisher a cursor in every tenant that has events; a new one starts at the first event. */
export async function ensureCursors(system: SystemDb, publisher: string): Promise<void> {
  await system.query(
    sql`
    insert into wm.publisher_cursors (tenant_id, publisher)
    select h.tenant_id, ${publisher} from wm.ledger_heads h
     where not exists (select from wm.publisher_cursors c where c.tenant_id = h.tenant_id and c.publisher = ${publisher})
    on conflict do nothing`,
    'ensure_cursors',
  )
}

/** Takes the cursor that was served longest ago and has something to do; undefined when none has, or others hold them. */
export async function takeCursor(system: SystemDb, publisher: string, leaseMs: number): Promise<Cursor | undefined> {
  const [row] = await system.query<{ tenant_id: string; fence: string; seq: string; ahead: string[]; failures: number; head: string }>(
    sql`
    with next as (
      select c.tenant_id, h.seq as head from wm.publisher_cursors c join wm.ledger_heads h on h.tenant_id = c.tenant_id
       where c.publisher = ${publisher}
         and (h.seq > c.seq or c.tenant_id in (select p.tenant_id from wm.parked_messages p where p.state = 'retry' and p.publisher = ${publisher}))
         and (c.lease_expires_at is null or c.lease_expires_at <= clock_timestamp())
         and (c.retry_at is null or c.retry_at <= clock_timestamp())
       order by c.served_at nulls first, c.tenant_id limit 1 for update of c skip locked)
    update wm.publisher_cursors c set fence = c.fence + 1, served_at = clock_timestamp(),
        lease_expires_at = clock_timestamp() + make_interval(secs => ${leaseMs / 1000})
      from next where c.tenant_id = next.tenant_id and c.publisher = ${publisher}
    returning c.tenant_id, c.fence::text as fence, c.seq::text as seq, c.ahead::text[] as ahead, c.failures, next.head::text as head`,
    'take_cursor',
  )
  return (
    row && {
      tenantId: row.tenant_id,
      fence: row.fence,
      seq: Number(row.seq),
      ahead: row.ahead.map(Number),
      failures: row.failures,
      head: Number(row.head),
    }
  )
}

const factColumns = sql`e.seq::text as seq, e.id, e.kind, e.subject_id, e.root_id, case when e.subject_type in ('order', 'item', 'part', 'effect') then e.root_id end as order_id,
  case when e.subject_type = 'item' then e.subject_id end as item_id, e.request_id, e.trace_id, e.correlation_id, e.causation_id, e.decided_at, wm.event_json(e)::text as json`
const numbered = (rows: Array<Omit<LedgerEvent, 'seq'> & { seq: string }>): LedgerEvent[] =>
  rows.map((row) => ({ ...row, seq: Number(row.seq) }))

/** `order.*` and `*` as LIKE patterns. */
const likes = (kinds: readonly string[]): string[] => kinds.map((kind) => kind.replace(/[\\%_]/g, String.raw`\$&`).replaceAll('*', '%'))

/** Events with `after < seq <= through` whose kind fits one of `kinds`, in order, without those of `ahead`. */
export async function readEvents(
  q: Queryable,
  tenantId: string,
  range: { after: number; through: number; ahead: readonly number[]; kinds: readonly string[]; limit: number },
): Promise<LedgerEvent[]> {
  return numbered(
    await q.query(
      sql`
      select ${factColumns} from wm.events e
       where e.tenant_id = ${tenantId} and e.seq > ${range.after} and e.seq <= ${range.through} and not e.seq = any (${[...range.ahead]}::bigint[])
         and e.kind like any (${likes(range.kinds)})
       order by e.seq limit ${range.limit}`,
      'read_events',
    ),
  )
}

/** Parked messages of the tenant that somebody asked to try again. */
export async function readEventsToRetry(q: Queryable, tenantId: string, publisher: string, limit: number): Promise<LedgerEvent[]> {
  return numbered(
    await q.query(
      sql`
      select ${factColumns} from wm.parked_messages p join wm.events e on e.tenant_id = p.tenant_id and e.seq = p.seq
       where p.tenant_id = ${tenantId} and p.publisher = ${publisher} and p.state = 'retry' order by p.seq limit ${limit}`,
      'read_events_to_retry',
    ),
  )
}

/** How often messages of the tenant were refused so far. */
export async function readTries(q: Queryable, tenantId: string, publisher: string, seqs: readonly number[]): Promise<Map<number, number>> {
  const rows = await q.query<{ seq: string; tries: number }>(
    sql`select p.seq::text as seq, p.tries from wm.parked_messages p
         where p.tenant_id = ${tenantId} and p.publisher = ${publisher} and p.seq = any (${[...seqs]}::bigint[])`,
    'read_tries',
  )
  return new Map(rows.map((row) => [Number(row.seq), row.tries]))
}

export interface Refusal {
  readonly event: LedgerEvent
  readonly reason: string
  readonly parked: boolean
}

export interface Settlement {
  readonly seq: number
  readonly ahead: readonly number[]
  readonly failures: number
  /** Nothing of this tenant is sent before. */
  readonly retryInMs: number | null
  readonly error: string | null
  readonly deliveredSeqs: readonly number[]
  readonly refusals: readonly Refusal[]
}

/** Writes down what became of a batch and gives the cursor back; false, and nothing is written, when somebody else has taken it. */
export async function settleCursor(system: SystemDb, publisher: string, cursor: Cursor, settlement: Settlement): Promise<boolean> {
  const { tenantId, fence } = cursor
  const { deliveredSeqs, refusals, error } = settlement
  return system.transaction(async (q) => {
    const mine = await q.query(
      sql`
      update wm.publisher_cursors c set seq = ${settlement.seq}, ahead = ${[...settlement.ahead]}::bigint[], lease_expires_at = null,
          failures = ${settlement.failures}, retry_at = clock_timestamp() + make_interval(secs => ${(settlement.retryInMs ?? 0) / 1000}),
          last_published_at = case when ${deliveredSeqs.length > 0} then clock_timestamp() else c.last_published_at end,
          last_error = coalesce(${error}::text, c.last_error), last_error_at = case when ${error}::text is null then c.last_error_at else clock_timestamp() end
       where c.tenant_id = ${tenantId} and c.publisher = ${publisher} and c.fence = ${fence}::bigint returning 1`,
      'settle_cursor',
    )
    if (mine.length === 0) return false
    if (deliveredSeqs.length > 0)
      await q.query(
        sql`delete from wm.parked_messages p where p.tenant_id = ${tenantId} and p.publisher = ${publisher} and p.seq = any (${[...deliveredSeqs]}::bigint[])`,
        'forget_refusals',
      )
    if (refusals.length > 0)
      await q.query(sql`
      insert into wm.parked_messages as p (tenant_id, publisher, seq, state, event_id, order_id, item_id, kind, reason, tries, first_refused_at, last_refused_at)
      values ${join(
        refusals.map(
          ({
            event,
            reason,
            parked,
          }) => sql`(${tenantId}, ${publisher}, ${event.seq}, ${parked ? 'parked' : 'trying'}, ${event.id}, ${event.order_id}::uuid,
            ${event.item_id}::uuid, ${event.kind}, ${reason.slice(0, 500)}, 1, clock_timestamp(), clock_timestamp())`,
        ),
      )}
      on conflict (tenant_id, publisher, seq) do update
        set state = excluded.state, reason = excluded.reason, tries = p.tries + 1, last_refused_at = excluded.last_refused_at`)
    return true
  })
}

/** Events that the publisher has not come to yet, over all tenants. */
export async function measureLag(system: SystemDb, publisher: string): Promise<number> {
  const [row] = await system.query<{ n: string }>(
    sql`
    select coalesce(sum(h.seq - coalesce(c.seq, 0)), 0)::text as n from wm.ledger_heads h
      left join wm.publisher_cursors c on c.tenant_id = h.tenant_id and c.publisher = ${publisher}`,
    'measure_lag',
  )
  return Number(row!.n)
}

/** Tells every process how the publisher's connection is. */
export async function writePublisherState(
  system: SystemDb,
  publisher: string,
  error: { readonly code: string; readonly message: string } | null,
): Promise<void> {
  await system.query(
    sql`
    insert into wm.publisher_states as s (publisher, connected, error_code, error, changed_at)
    values (${publisher}, ${error === null}, ${error?.code ?? null}, ${error?.message ?? null}, clock_timestamp())
    on conflict (publisher) do update
      set connected = excluded.connected, error_code = excluded.error_code, error = excluded.error, changed_at = excluded.changed_at
    where (s.connected, s.error) is distinct from (excluded.connected, excluded.error)`,
    'write_publisher_state',
  )
}
