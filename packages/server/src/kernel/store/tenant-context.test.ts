/** The tenant lives exactly as long as its transaction; without one there are no rows. */
import pg from 'pg'
import sql from 'sql-template-tag'
import { uuidv7 } from 'uuidv7'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { type Database, openDatabase } from './database.ts'
import type { Queryable } from './tx.ts'

const [a, b] = [uuidv7(), uuidv7()]
let test: TestDatabase
let database: Database

beforeAll(async () => {
  test = await createTestDatabase()
  database = openDatabase({ url: test.runtimeUrl, maxConnections: 6, onError: () => {} })
  for (const [id, slug] of [
    [a, 'a'],
    [b, 'b'],
  ]) {
    await test.sql('insert into wm.tenants (id, slug, name) values ($1, $2, $2)', [id, slug])
    await test.sql(`insert into wm.records values ($1, 'notes', $2, '1', $1, now())`, [id, `note of ${slug}`])
  }
})
afterAll(async () => {
  await database.close()
  await test.drop()
})

interface Look {
  readonly pid: number
  readonly tenant: string | null
  readonly keys: string[]
}
const look = async (q: Queryable): Promise<Look> =>
  (
    await q.query<Look>(
      sql`select pg_backend_pid() as pid, nullif(current_setting('wm.tenant_id', true), '') as tenant, coalesce((select array_agg(key order by key) from wm.records), '{}') as keys`,
    )
  )[0]!
/** Ends the transaction from inside and looks at what the bare connection still knows. */
const lookAfterwards = (tenant: string) =>
  database.app.read(tenant, async (q) => {
    await q.query(sql`rollback`)
    return look(q)
  })

describe('a pooled connection', () => {
  it('shows each transaction its own tenant only, on one connection, also after errors and commits of the other', async () => {
    const pids = new Set<number>()
    const broken = new Error('the work broke')
    for (let round = 0; round < 300; round++) {
      const [tenant, name] = round % 2 === 0 ? [a, 'note of a'] : [b, 'note of b']
      const seen = await database.app.read(tenant, look)
      pids.add(seen.pid)
      expect(seen).toMatchObject({ tenant, keys: [name] })
      const ending = round % 3
      if (ending === 0) await expect(database.app.transaction(tenant, async () => Promise.reject(broken))).rejects.toBe(broken)
      if (ending === 1)
        await expect(database.app.transaction(tenant, (tx) => tx.query(sql`select 1 / 0`))).rejects.toMatchObject({ code: '22012' })
      if (ending === 2) await database.app.transaction(tenant, (tx) => tx.query(sql`update wm.records set updated_at = now()`))
    }
    expect(pids.size).toBe(1)
  })

  it('knows no tenant and shows no rows once the transaction is over', async () => {
    expect(await lookAfterwards(a)).toMatchObject({ tenant: null, keys: [] })
    expect(await lookAfterwards(b)).toMatchObject({ tenant: null, keys: [] })
  })

  it('forgets the tenant after a cancelled statement and after a terminated backend', async () => {
    await expect(
      database.app.transaction(a, async (tx) => {
        const { pid } = await look(tx)
        await Promise.all([tx.query(sql`select pg_sleep(60)`), test.sql(`select pg_cancel_backend($1)`, [pid])])
      }),
    ).rejects.toThrow()
    expect(await database.app.read(b, look)).toMatchObject({ tenant: b, keys: ['note of b'] })
    await expect(
      database.app.transaction(a, async (tx) => {
        const { pid } = await look(tx)
        await test.sql('select pg_terminate_backend($1)', [pid])
        await tx.query(sql`select 1`)
      }),
    ).rejects.toMatchObject({ code: 'database_unavailable' })
    expect(await database.app.read(b, look)).toMatchObject({ tenant: b, keys: ['note of b'] })
    expect(await lookAfterwards(b)).toMatchObject({ tenant: null, keys: [] })
  })

  it('of the hot path is bare between two statements', async () => {
    for (const tenant of [a, b])
      await database.hot.query('checkout', `select * from wm.lease_items($1, '{"epoch":1,"heartbeat_every":15}', '[]')`, [tenant])
    const [row] = await database.hot.query<{ tenant: string | null; n: string }>(
      'bare',
      `select nullif(current_setting('wm.tenant_id', true), '') as tenant, (select count(*) from wm.records) as n`,
      [],
    )
    expect(row).toEqual({ tenant: null, n: '0' })
  })
})

describe('without a tenant', () => {
  it('no table shows a row and no table takes one', async () => {
    const client = new pg.Client({ connectionString: test.runtimeUrl })
    await client.connect()
    try {
      await client.query('set role wm_app')
      const tables = await test.sql<{ name: string }>(`
        select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id'
         where n.nspname = 'wm' and c.relkind in ('r', 'p') and not c.relispartition`)
      expect(tables.length).toBeGreaterThan(10)
      for (const { name } of tables) {
        expect((await client.query(`select count(*)::int as n from wm.${name}`)).rows, name).toEqual([{ n: 0 }])
        // 42501: refused by row security, or because the role may not write the table at all; both come before the row's own constraints.
        await expect(client.query(`insert into wm.${name} (tenant_id) values ('${a}')`), name).rejects.toMatchObject({ code: '42501' })
      }
      await client.query(`begin; set local wm.tenant_id = '${b}'`)
      await expect(client.query(`insert into wm.records values ('${a}', 'notes', 'smuggled', '1', '${a}', now())`)).rejects.toMatchObject({
        code: '42501',
      })
    } finally {
      await client.end()
    }
  })

  it('an empty setting, as it is left after a reset, is none', async () => {
    const client = new pg.Client({ connectionString: test.runtimeUrl })
    await client.connect()
    try {
      await client.query('set role wm_app')
      await client.query(`begin; set local wm.tenant_id = '${a}'; commit`)
      expect(
        (await client.query(`select current_setting('wm.tenant_id', true) as tenant, (select count(*)::int from wm.records) as n`)).rows,
      ).toEqual([{ tenant: '', n: 0 }])
    } finally {
      await client.end()
    }
  })

  it('the program itself refuses a tenant that is none', async () => {
    await expect(database.app.read('', look)).rejects.toThrow('not a tenant id')
    await expect(database.app.read(`${a}'; select 1; --`, look)).rejects.toThrow('not a tenant id')
  })
})
