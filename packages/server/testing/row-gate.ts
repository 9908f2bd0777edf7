/**
 * Gates for race tests: a session of its own keeps rows or advisory locks, so racers pile up behind it; the test looks until they
 * stand there, changes what it wants to have changed meanwhile, and opens the gate. No sleeps, no luck.
 */
import pg from 'pg'
import type { TestDatabase } from './test-database.ts'
import { until } from './test-server.ts'

export interface RowGate {
  /** SQL in the transaction that holds the rows. */
  sql<Row extends object = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>
  /** Returns once at least `n` sessions of this database wait for a lock. */
  waiting(n?: number): Promise<void>
  open(): Promise<void>
}

/** Runs `hold` (a `select … for update`, say) as the superuser in an open transaction. */
export async function closeGate(database: TestDatabase, hold: string, values: unknown[] = []): Promise<RowGate> {
  const client = new pg.Client({ connectionString: database.adminUrl })
  client.on('error', () => {})
  await client.connect()
  await client.query('begin')
  await client.query(hold, values)
  let opened = false
  return {
    async sql<Row extends object>(text: string, more: unknown[] = []) {
      return (await client.query(text, more)).rows as Row[]
    },
    async waiting(n = 1) {
      await until(async () => {
        const [row] = await database.sql<{ n: number }>(
          `select count(*)::int as n from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`,
          [database.name],
        )
        return row!.n >= n
      }, `${n} sessions wait for a lock`)
    },
    async open() {
      if (opened) return
      opened = true
      await client.query('commit')
      await client.end()
    },
  }
}

export const holdItem = (database: TestDatabase, id: string): Promise<RowGate> =>
  closeGate(database, 'select 1 from wm.items where id = $1 for update', [id])
export const holdOrder = (database: TestDatabase, id: string): Promise<RowGate> =>
  closeGate(database, 'select 1 from wm.orders where id = $1 for update', [id])

export interface OrderRecord {
  readonly order: Record<string, unknown>
  readonly items: readonly Record<string, unknown>[]
  readonly events: readonly string[]
  readonly submissions: number
  readonly parts: number
  readonly answers: number
}

/** Everything that is kept about an order, for "a refusal changes nothing": equal records mean that nothing was written. */
export async function recordOf(database: TestDatabase, orderId: string): Promise<OrderRecord> {
  const [row] = await database.sql<{ record: OrderRecord }>(
    `select json_build_object(
       'order', (select to_json(o) from wm.orders o where o.id = $1),
       'items', (select json_agg(i order by i.ordinal) from wm.items i where i.order_id = $1),
       'events', (select json_agg(e.kind order by e.position) from record e where e.order_id = $1),
       'submissions', (select count(*) from wm.submissions s where s.order_id = $1),
       'parts', (select count(*) from wm.parts p where p.order_id = $1),
       'answers', (select count(*) from wm.idempotency)) as record`,
    [orderId],
  )
  return row!.record
}

/** Ends the lease of an item by the clock, without anybody waiting for it. */
export async function expireLease(database: TestDatabase, itemId: string): Promise<void> {
  await database.sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [itemId])
}
