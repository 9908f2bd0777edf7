/** What each person was shown of an order last (`wm.shown_orders`). */
import sql from 'sql-template-tag'
import type { Db, Instant, SystemDb, Tx } from '../../kernel/store/tx.ts'
import type { ShownMembers } from './shown-members.ts'

export interface ShownOrder {
  readonly digest: string
  readonly members: ShownMembers
  readonly shown_at: Instant
}

/** Written only when it is something else than before. */
export async function keepShown(
  tx: Tx,
  orderId: string,
  principal: string,
  { digest, members }: Omit<ShownOrder, 'shown_at'>,
): Promise<void> {
  await tx.query(
    sql`
    insert into wm.shown_orders as s (tenant_id, order_id, principal, digest, members, shown_at)
    values (${tx.tenantId}, ${orderId}, ${principal}, ${digest}, ${JSON.stringify(members)}::json, clock_timestamp())
    on conflict (tenant_id, order_id, principal) do update set digest = excluded.digest, members = excluded.members, shown_at = excluded.shown_at
     where s.digest <> excluded.digest`,
    'keep_shown_order',
  )
}

export async function findShown(db: Db, tenantId: string, orderId: string, principal: string): Promise<ShownOrder | undefined> {
  const [row] = await db.call<ShownOrder>(
    tenantId,
    sql`select * from wm.order_shown(${tenantId}::uuid, ${orderId}::uuid, ${principal})`,
    'order_shown',
  )
  return row
}

/** Deletes at most `most` that were shown before `days` ago; says how many. */
export async function deleteOldShown(system: SystemDb, days: number, most: number): Promise<number> {
  const rows = await system.query(
    sql`delete from wm.shown_orders s using (
          select ctid from wm.shown_orders where shown_at < clock_timestamp() - make_interval(days => ${days}) order by shown_at limit ${most}) old
         where s.ctid = old.ctid returning 1`,
    'delete_old_shown_orders',
  )
  return rows.length
}
