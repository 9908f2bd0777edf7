/** A database that has just filled: the hot statements go through the primary key before autovacuum has been there. */
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestServer, type TestServer } from '../../testing/test-server.ts'
import { hotSession, setForConnection } from '../kernel/store/session.ts'

let server: TestServer
let client: pg.Client
beforeAll(async () => {
  server = await startTestServer({ background: false })
  client = new pg.Client({ connectionString: server.database.adminUrl })
  await client.connect()
  await client.query(setForConnection(hotSession))
})
afterAll(async () => {
  await client.end()
  await server.stop()
})

async function indexOf(statement: string): Promise<string | undefined> {
  await client.query(`prepare hot(uuid, uuid[]) as ${statement}`)
  const { rows } = await client.query('explain (format json) execute hot(gen_random_uuid(), array[gen_random_uuid()])')
  await client.query('deallocate hot')
  return /"Index Name":"(\w+)"/.exec(JSON.stringify(rows[0]['QUERY PLAN']))?.[1]
}
const hot = {
  items_pkey: "update wm.items i set state = 'submitted' where i.tenant_id = $1 and i.id = any ($2) and i.state = 'in_progress'",
  orders_pkey: "update wm.orders o set state = 'checked_out' where o.tenant_id = $1 and o.id = any ($2) and o.state || '' = 'queued'",
}

it('counts what has filled, once', async () => {
  const { id: tenant } = await server.manager.tenants.ensure('acme', 'Acme')
  const sql = (text: string) => server.database.sql(text, [tenant])
  await sql(`insert into wm.orders (tenant_id, id, type, type_version, state, priority, requested_by_principal, payload, on_item_failure,
      last_transitioned_at, created_at, updated_at)
    select $1, gen_random_uuid(), 'test.none', 1, 'queued', 0, 'test', '{}', 'proceed', now(), now(), now() from generate_series(1, 5000)`)
  await sql(`insert into wm.items (tenant_id, id, order_id, ordinal, type, order_type, priority, state, max_attempts, lease_ttl_seconds,
      require_token, record_heartbeats, input, due_at, created_at, updated_at)
    select $1, gen_random_uuid(), id, 1, 'test.none', 'test.none', 0, 'queued', 1, 600, false, false, '{}', now(), now(), now() from wm.orders
     where tenant_id = $1`)
  // A session tells the others what it has changed once a second while it works, or when asked to.
  await sql('select pg_stat_force_next_flush() where $1::uuid is not null')
  await expect.poll(() => server.run('statistics-keeper')).toBeGreaterThanOrEqual(1)
  await expect
    .poll(async () => {
      await server.run('statistics-keeper')
      return [await indexOf(hot.items_pkey), await indexOf(hot.orders_pkey)]
    })
    .toEqual(['items_pkey', 'orders_pkey'])
  expect(await server.run('statistics-keeper')).toBe(0)
})
