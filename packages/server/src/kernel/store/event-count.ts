/**
 * Whether what was read is still what would be read. Every change of a tenant's work takes in an event in its own transaction, so two reads
 * saw the same work exactly when the tenant had the same number of committed events in both. The number only grows: numbering moves events
 * from the intake to the record and leaves their sum as it is.
 */
import sql from 'sql-template-tag'
import type { Queryable } from './tx.ts'

/** Read it in the statement that reads what it vouches for: one statement, one snapshot. */
export const eventCount = sql`coalesce((select h.seq from wm.ledger_heads h where h.tenant_id = wm.current_tenant()), 0)
  + coalesce((select sum(n.size) from wm.intake n where n.tenant_id = wm.current_tenant()), 0)`

export async function countEvents(q: Queryable): Promise<string> {
  const [row] = await q.query<{ events: string }>(sql`select (${eventCount})::text as events`, 'count_events')
  return row!.events
}

/** The newest row of the tenant's intake; null when everything that is committed has its number. */
export async function findNewestIntake(q: Queryable): Promise<string | null> {
  const [row] = await q.query<{ id: string | null }>(
    sql`select (select i.id from wm.intake i where i.tenant_id = wm.current_tenant() order by i.id desc limit 1)::text as id`,
    'find_newest_intake',
  )
  return row!.id
}
