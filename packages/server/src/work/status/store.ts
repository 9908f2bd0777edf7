/** How much of what a tenant has, and what state the database is in. */
import sql from 'sql-template-tag'
import type { Instant, Queryable } from '../../kernel/store/tx.ts'

/** Orders and items by state, with the snapshot in which they were counted (see snapshots.ts). */
export interface Counts {
  readonly orders: Readonly<Record<string, number>>
  readonly items: Readonly<Record<string, number>>
  readonly snapshot: string
}
/** What changes by itself as time passes. */
export interface Liveness {
  readonly at: Instant
  readonly server_version: string
  readonly leases_active: number
  readonly leases_expired: number
  readonly facts_unnumbered: number
}

export async function countWork(q: Queryable): Promise<Counts> {
  const [row] = await q.query<Counts>(
    sql`
    select pg_current_snapshot()::text as snapshot,
      (select coalesce(json_object_agg(o.state, o.n), '{}') from (select state, count(*) as n from wm.orders where tenant_id = wm.current_tenant() group by state) o) as orders,
      (select coalesce(json_object_agg(i.state, i.n), '{}') from (select state, count(*) as n from wm.items where tenant_id = wm.current_tenant() group by state) i) as items`,
    'count_work',
  )
  return row!
}

export async function readLiveness(q: Queryable): Promise<Liveness> {
  const [row] = await q.query<Liveness>(
    sql`
    select wm.wire_time(clock_timestamp()) as at, current_setting('server_version') as server_version,
      l.active as leases_active, l.expired as leases_expired,
      (select count(*)::int from (
         select 1 from wm.events e where e.tenant_id = wm.current_tenant()
            and e.position > (select coalesce(max(event_position), 0) from wm.ledger g where g.tenant_id = wm.current_tenant()) limit 100000) e) as facts_unnumbered
      from (select count(*) filter (where lease_expires_at >= clock_timestamp())::int as active, count(*) filter (where lease_expires_at < clock_timestamp())::int as expired
              from wm.items where tenant_id = wm.current_tenant() and leased) l`,
    'read_liveness',
  )
  return row!
}
