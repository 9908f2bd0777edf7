/** On a database that has just been made, before anything was analysed, the hot statements already go through the primary key. */
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'
import { hotSessionOptions } from '../store/database.ts'

let database: TestDatabase
let client: pg.Client
beforeAll(async () => {
  database = await createTestDatabase()
  client = new pg.Client({ connectionString: database.adminUrl, options: `-c role=wm_app ${hotSessionOptions}` })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await database.drop()
})

async function indexesOf(statement: string): Promise<string[]> {
  await client.query(`prepare hot(uuid, uuid[]) as ${statement}`)
  const { rows } = await client.query(`explain (format json) execute hot(gen_random_uuid(), array[gen_random_uuid()])`)
  await client.query('deallocate hot')
  return [...JSON.stringify(rows[0]['QUERY PLAN']).matchAll(/"Index Name":"(\w+)"/g)].map(([, name]) => name!)
}

it.each([
  ['items', "update wm.items i set state = 'submitted' where i.tenant_id = $1 and i.id = any ($2) and i.state = 'in_progress'"],
  ['items', 'select i.order_id from wm.items i where i.tenant_id = $1 and i.id = any ($2) for no key update'],
  ['orders', "update wm.orders o set state = 'checked_out' where o.tenant_id = $1 and o.id = any ($2) and o.state || '' = 'queued'"],
])('%s: %s', async (table, statement) => {
  expect(await indexesOf(statement)).toEqual([`${table}_pkey`])
})

it('nothing is left of the rows that the first statistics were made from', async () => {
  const rows = await database.sql(`select (select count(*)::int from wm.tenants) + (select count(*)::int from wm.orders)
    + (select count(*)::int from wm.items) + (select count(*)::int from wm.submissions) as left_over,
    (select count(*)::int from pg_trigger where tgrelid = 'wm.submissions'::regclass and not tgisinternal and tgenabled <> 'O') as switched_off,
    (select count(*)::int from pg_class where relnamespace = 'wm'::regnamespace and relkind in ('r', 'p') and relrowsecurity and not relforcerowsecurity) as unforced`)
  expect(rows).toEqual([{ left_over: 0, switched_off: 0, unforced: 0 }])
})
