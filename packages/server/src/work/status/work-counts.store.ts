/** What waits, what is held and what lags, over all tenants: the numbers behind the gauges. Partial indexes only, no walk over history. */
import sql from 'sql-template-tag'
import type { SystemDb } from '../../kernel/store/tx.ts'

export async function readWorkCounts(system: SystemDb) {
  const [row] = await system.query<{
    queued: object | null
    leased: object | null
    pauses: object | null
    unsequenced: number
    lag: number
  }>(
    sql`
    select (select json_object_agg(q.order_type, q.n) from
             (select order_type, count(*) as n from wm.items where ready group by order_type) q) as queued,
           (select json_object_agg(l.order_type, l.n) from
             (select order_type, count(*) as n from wm.items where leased and lease_expires_at > clock_timestamp() group by order_type) l) as leased,
           (select json_object_agg(p.scope, p.n) from
             (select scope, count(*) as n from wm.pauses group by scope
              union all select 'everything', count(paused_at) from wm.cluster) p) as pauses,
           u.n as unsequenced, u.lag
      from (select coalesce(sum(i.size), 0)::integer as n, greatest(0, coalesce(extract(epoch from clock_timestamp() - min(i.decided_at)), 0))::double precision as lag
              from (select size, decided_at from wm.intake limit 10000) i) u`,
    'read_work_counts',
  )
  const { queued, leased, pauses, unsequenced, lag } = row!
  const counts = (of: object | null) => (of ?? {}) as Record<string, number>
  // `unsequenced` is counted over 10,000 rows at most.
  return { queued: counts(queued), leased: counts(leased), pauses: counts(pauses), unsequenced, ledgerLagSeconds: lag }
}
