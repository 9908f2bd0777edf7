/** What the catalog must say about every table that holds tenants' rows, so that a new table without its fences fails here. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'

/** Unique across tenants: a second tenant could notice that a value is taken. */
const globalUniques: Record<string, string> = {
  api_keys_hash_key: 'looked up before the tenant is known; nobody can choose the hash of 32 random bytes',
}

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const tenantTables = `
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id' and not t.attisdropped
  where n.nspname = 'wm' and c.relkind in ('r', 'p')`
const names = async (text: string): Promise<string[]> => (await database.sql<{ name: string }>(text)).map(({ name }) => name)

describe('every table with a tenant_id', () => {
  it('has row security on and forced, also each partition', async () => {
    expect(await names(`select c.relname as name ${tenantTables}`)).toEqual(
      expect.arrayContaining(['orders', 'items', 'events', 'events_default', 'intake', 'api_keys']),
    )
    expect(await names(`select c.relname as name ${tenantTables} and not (c.relrowsecurity and c.relforcerowsecurity)`)).toEqual([])
  })

  it('lets wm_app see one tenant only: each policy for it compares the tenant, reading and writing', async () => {
    const rows = await database.sql<{ name: string; using: string; check: string; permissive: boolean }>(`
      select c.relname as name, pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as check
      ${tenantTables.replace('where', `left join pg_policy p on p.polrelid = c.oid and 'wm_app'::regrole = any (p.polroles) where not c.relispartition and`)}`)
    expect(rows.length).toBeGreaterThan(10)
    for (const row of rows)
      expect(row, row.name).toMatchObject({ using: '(tenant_id = wm.current_tenant())', check: '(tenant_id = wm.current_tenant())' })
    expect(
      await names(
        `select c.relname as name ${tenantTables} and exists (select from pg_policy p where p.polrelid = c.oid and p.polroles && array[0::oid])`,
      ),
      'policies for everybody',
    ).toEqual([])
  })

  it('has the tenant first in its primary key and in every index of several columns', async () => {
    expect(
      await names(`select c.relname as name ${tenantTables} and not exists (
      select from pg_index x where x.indrelid = c.oid and x.indisprimary and x.indkey[0] = t.attnum)`),
    ).toEqual([])
    const elsewhere =
      await names(`select ic.relname as name ${tenantTables.replace('where', 'join pg_index x on x.indrelid = c.oid join pg_class ic on ic.oid = x.indexrelid where not c.relispartition and')}
      and x.indnkeyatts > 1 and x.indkey[0] <> t.attnum`)
    expect(elsewhere.sort()).toEqual([])
  })

  it('has no unique value shared between tenants, except the hash of keys', async () => {
    const shared =
      await names(`select ic.relname as name ${tenantTables.replace('where', 'join pg_index x on x.indrelid = c.oid join pg_class ic on ic.oid = x.indexrelid where')}
      and x.indisunique and not (t.attnum = any (x.indkey::smallint[]))`)
    expect(shared).toEqual(Object.keys(globalUniques))
  })

  it('takes part in foreign keys with its tenant, so that no row points across', async () => {
    expect(
      await names(`select k.conname as name ${tenantTables.replace('where', 'join pg_constraint k on k.conrelid = c.oid where')}
      and k.contype = 'f' and not (t.attnum = any (k.conkey))`),
    ).toEqual([])
  })
})

describe('wm.tenant_table', () => {
  const fenced = () => `
    create table wm.boats (tenant_id uuid not null, id uuid not null, name text not null, primary key (tenant_id, id));
    call wm.tenant_table('boats');`
  const [mine, other] = ['00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002']
  const insert = (tenant: string) => `insert into wm.boats values ('${tenant}', gen_random_uuid(), 'Ida')`
  /** Runs the statements in one transaction that is rolled back; what each one answers: rows, or the SQLSTATE that ended it. */
  const tried = async (...statements: string[]): Promise<unknown> => {
    const client = new pg.Client({ connectionString: database.adminUrl })
    await client.connect()
    try {
      await client.query('begin')
      let rows: unknown[] = []
      for (const statement of statements) rows = (await client.query(statement)).rows
      return rows
    } catch (error) {
      return (error as { code?: string }).code
    } finally {
      await client.end()
    }
  }
  const asApp = (tenant: string) => `set local role wm_app; set local wm.tenant_id = '${tenant}'`

  it('fences a table: each tenant sees and writes its own rows, the sweeps see all, nobody deletes', async () => {
    const filled = [fenced(), insert(mine), insert(other)].join(';')
    expect(await tried(filled, asApp(mine), 'select tenant_id from wm.boats')).toEqual([{ tenant_id: mine }])
    expect(await tried(filled, `set local role wm_app`, 'select tenant_id from wm.boats')).toEqual([])
    expect(await tried(filled, asApp(mine), `update wm.boats set name = 'Eve' returning tenant_id`)).toEqual([{ tenant_id: mine }])
    expect(await tried(filled, asApp(mine), insert(mine))).toEqual([])
    expect(await tried(filled, asApp(mine), insert(other))).toBe('42501')
    expect(await tried(filled, asApp(mine), `update wm.boats set tenant_id = '${other}'`)).toBe('42501')
    expect(await tried(filled, asApp(mine), 'delete from wm.boats')).toBe('42501')
    expect(await tried(filled, 'set local role wm_system', 'select count(*)::int as n from wm.boats')).toEqual([{ n: 2 }])
    for (const statement of [insert(mine), `update wm.boats set name = 'Eve'`, 'delete from wm.boats'])
      expect(await tried(filled, 'set local role wm_system', statement)).toBe('42501')
  })

  it('makes the same fences as every other table has', async () => {
    const of = (table: string) => `select c.relrowsecurity, c.relforcerowsecurity, array_agg(
        concat_ws(' ', p.polname, p.polcmd, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
        order by p.polname) as policies
      from pg_class c join pg_policy p on p.polrelid = c.oid where c.oid = 'wm.${table}'::regclass group by c.oid`
    expect(await tried(fenced(), of('boats'))).toEqual(await tried(of('approvals')))
  })

  it('takes other grants', async () => {
    const narrow = fenced().replace(`'boats')`, `'boats', p_app => 'select, insert, update (name, id)', p_system => 'select, delete')`)
    expect(await tried(narrow, asApp(mine), `update wm.boats set name = 'Eve'`)).toEqual([])
    expect(await tried(narrow, asApp(mine), `update wm.boats set tenant_id = '${mine}'`)).toBe('42501')
    expect(await tried(narrow, 'set local role wm_system', 'delete from wm.boats')).toEqual([])
  })

  it.each([
    ['a table that is not there', `call wm.tenant_table('ships')`, '42P01'],
    ['a table without a tenant', `create table wm.ships (id uuid primary key); call wm.tenant_table('ships')`, '42P16'],
    [
      'a key that begins with something else',
      `create table wm.ships (id uuid, tenant_id uuid, primary key (id, tenant_id)); call wm.tenant_table('ships')`,
      '42P16',
    ],
    ['more than a list of privileges', fenced().replace(`'boats')`, `'boats', 'select on wm.boats to public; grant select')`), '42601'],
    ['a caller who is not the owner', `set local role wm_app; call wm.tenant_table('orders')`, '42501'],
    ['the sweeps', `set local role wm_system; call wm.tenant_table('orders')`, '42501'],
  ])('refuses %s', async (_what, statements, code) => expect(await tried(statements)).toBe(code))

  it('is called by the owner only, and runs with the rights of its caller', async () => {
    expect(
      await database.sql(`
        select p.prosecdef, p.proconfig, array_agg(r.rolname::text) filter (where has_function_privilege(r.oid, p.oid, 'execute')) as callers
          from pg_proc p cross join pg_roles r
         where p.oid = 'wm.tenant_table(text, text, text)'::regprocedure and not r.rolsuper group by p.oid`),
    ).toEqual([{ prosecdef: false, proconfig: ['search_path=pg_catalog, pg_temp'], callers: null }])
  })
})

describe('the runtime roles', () => {
  it('own nothing, are no superusers and do not bypass row security', async () => {
    const rows = await database.sql(`
      select r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
             exists (select from pg_class c where c.relowner = r.oid) or exists (select from pg_proc p where p.proowner = r.oid) as owns
        from pg_roles r where r.rolname in ('wm_app', 'wm_system', 'wm_window', (select rolname from pg_roles where rolcanlogin and pg_has_role(rolname, 'wm_app', 'member') and not rolsuper order by 1 limit 1))`)
    expect(rows).toHaveLength(4)
    for (const row of rows)
      expect(row).toMatchObject({
        rolsuper: false,
        rolbypassrls: false,
        rolcreaterole: false,
        rolcreatedb: false,
        rolreplication: false,
        owns: false,
      })
  })

  it('cannot reach a partition past the policies of its table', async () => {
    expect(
      await names(
        `select c.relname as name ${tenantTables} and c.relispartition and (has_any_column_privilege('wm_app', c.oid, 'select') or has_table_privilege('wm_app', c.oid, 'insert'))`,
      ),
    ).toEqual([])
  })

  it('may not change or remove events', async () => {
    const may =
      await names(`select c.relname || ' ' || w as name ${tenantTables.replace('where', `cross join unnest(array['update', 'delete', 'truncate']) w cross join unnest(array['wm_app', 'wm_system', 'wm_window']) r where`)}
      and c.relname in ('events', 'submissions', 'approvals', 'parts') and (case when w = 'update' then has_any_column_privilege(r, c.oid, w) else has_table_privilege(r, c.oid, w) end)`)
    expect(may).toEqual([])
  })
})
