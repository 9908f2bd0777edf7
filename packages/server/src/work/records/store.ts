/** The small document table of order types that bring no tables of their own. */
import sql from 'sql-template-tag'
import type { Instant, Queryable, Tx } from '../../kernel/store/tx.ts'

export async function getRecord(q: Queryable, collection: string, key: string): Promise<unknown> {
  const [row] = await q.query<{ value: unknown }>(
    sql`select value from wm.records where tenant_id = wm.current_tenant() and collection = ${collection} and key = ${key}`,
    'get_record',
  )
  return row?.value
}

export async function listRecords(
  q: Queryable,
  collection: string,
  limit: number,
  after?: string,
): Promise<Array<{ key: string; value: unknown; json: string }>> {
  return q.query(
    sql`
    select r.key, r.value, json_build_object('collection', r.collection, 'key', r.key, 'value', r.value, 'order_id', r.order_id, 'updated_at', wm.wire_time(r.updated_at))::text as json
      from wm.records r where r.tenant_id = wm.current_tenant() and r.collection = ${collection} and (${after ?? null}::text is null or r.key > ${after ?? null})
     order by r.key limit ${limit}`,
    'list_records',
  )
}

export async function putRecord(
  tx: Tx,
  record: { collection: string; key: string; value: unknown; orderId: string },
  at: Instant,
): Promise<void> {
  await tx.query(
    sql`
    insert into wm.records (tenant_id, collection, key, value, order_id, updated_at)
    values (${tx.tenantId}, ${record.collection}, ${record.key}, ${JSON.stringify(record.value ?? null)}::json, ${record.orderId}, ${at}::timestamptz)
    on conflict (tenant_id, collection, key) do update set value = excluded.value, order_id = excluded.order_id, updated_at = excluded.updated_at`,
    'put_record',
  )
}

export async function deleteRecord(tx: Tx, collection: string, key: string): Promise<boolean> {
  const rows = await tx.query(
    sql`delete from wm.records where tenant_id = ${tx.tenantId} and collection = ${collection} and key = ${key} returning key`,
    'delete_record',
  )
  return rows.length === 1
}

/** Keeps others from reading the record to write it until the transaction ends, whether it exists yet or not: a counter loses nothing. */
export async function lockRecord(tx: Tx, collection: string, key: string): Promise<void> {
  await tx.query(
    sql`select pg_advisory_xact_lock(hashtextextended(${JSON.stringify([tx.tenantId, 'record', collection, key])}, 0))`,
    'lock_record',
  )
}
