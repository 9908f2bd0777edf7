/** How much of what a tenant has, and what state the database is in. */
import sql from 'sql-template-tag'
import { eventCount } from '../../kernel/store/event-count.ts'
import type { Instant, Queryable } from '../../kernel/store/tx.ts'

/** Orders and items by state, and how many events the tenant had then (see event-count.ts). */
export interface Counts {
  readonly orders: Readonly<Record<string, number>>
  readonly items: Readonly<Record<string, number>>
  readonly events: string
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
    select (${eventCount})::text as events,
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
      (select coalesce(sum(n.size), 0)::int from wm.intake n where n.tenant_id = wm.current_tenant()) as facts_unnumbered
      from (select count(*) filter (where lease_expires_at >= clock_timestamp())::int as active, count(*) filter (where lease_expires_at < clock_timestamp())::int as expired
              from wm.items where tenant_id = wm.current_tenant() and leased) l`,
    'read_liveness',
  )
  return row!
}
