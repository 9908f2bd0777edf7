/**
 * Whether what was read is still what would be read. Every change of a tenant's work writes a fact in its own transaction, so a snapshot
 * is out of date exactly when the tenant has a fact that the snapshot did not see. Asking costs one look at the newest transactions.
 */
import sql from 'sql-template-tag'
import type { Queryable } from './tx.ts'

/**
 * `snapshot` is the text of pg_current_snapshot() in the statement that read. Planned anew each time, hence without a name: a plan that
 * is kept does not know how new the snapshot is and reads every fact (4 s at a million of them, 60 ms at 60,000).
 */
export async function hasFactsSince(q: Queryable, snapshot: string): Promise<boolean> {
  const [row] = await q.query<{ changed: boolean }>(
    sql`
    select exists (
      select from wm.events e
       where e.tenant_id = wm.current_tenant() and e.xid >= pg_snapshot_xmin(${snapshot}::pg_snapshot)::text::bigint
         and not pg_visible_in_snapshot(e.xid::text::xid8, ${snapshot}::pg_snapshot)) as changed`,
  )
  return row!.changed
}
