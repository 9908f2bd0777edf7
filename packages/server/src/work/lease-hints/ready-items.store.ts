/** The head of a tenant's queue, as hints for who takes next. Only candidates: the verdict falls under the items' locks. */
import sql from 'sql-template-tag'
import type { Instant, Queryable } from '../../kernel/store/tx.ts'

export interface ReadyItem {
  readonly id: string
  readonly due_at: Instant
}

/** The first `limit` ready items of the type (null: of any), in the order in which they are handed out; and a moment before the look. */
export async function findReadyItems(
  q: Queryable,
  type: string | null,
  limit: number,
): Promise<{ readonly at: Instant; readonly items: readonly ReadyItem[] }> {
  const ofType = type === null ? sql`` : sql`and i.order_type = ${type}`
  const [clock] = await q.query<{ at: Instant }>(sql`select clock_timestamp() as at`, 'ready_items_clock')
  const items = await q.query<ReadyItem>(
    sql`select i.id, i.due_at from wm.items i where i.tenant_id = wm.current_tenant() and i.ready ${ofType} order by i.due_at, i.id limit ${limit}`,
    type === null ? 'find_ready_items' : 'find_ready_items_of_type',
  )
  return { at: clock!.at, items }
}
