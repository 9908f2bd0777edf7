/** What the catalog must say about every table that holds tenants' rows, so that a new table without its fences fails here. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'

/** Indexes of several columns that do not begin with the tenant, and why each may stand. */
const sweepingIndexes: Record<string, string> = {
  events_xid_idx: 'the sequencer walks the facts of all tenants in the order of their transactions',
}
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
      expect.arrayContaining(['orders', 'items', 'events', 'events_default', 'ledger', 'api_keys']),
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
    expect(elsewhere.sort()).toEqual(Object.keys(sweepingIndexes))
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

describe('the runtime roles', () => {
  it('own nothing, are no superusers and do not bypass row security', async () => {
    const rows = await database.sql(`
      select r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
             exists (select from pg_class c where c.relowner = r.oid) or exists (select from pg_proc p where p.proowner = r.oid) as owns
        from pg_roles r where r.rolname in ('wm_app', 'wm_system', (select rolname from pg_roles where rolcanlogin and pg_has_role(rolname, 'wm_app', 'member') and not rolsuper order by 1 limit 1))`)
    expect(rows).toHaveLength(3)
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

  it('may not change or remove facts', async () => {
    const may =
      await names(`select c.relname || ' ' || w as name ${tenantTables.replace('where', `cross join unnest(array['update', 'delete', 'truncate']) w cross join unnest(array['wm_app', 'wm_system']) r where`)}
      and c.relname in ('events', 'ledger', 'submissions', 'approvals', 'parts') and (case when w = 'update' then has_any_column_privilege(r, c.oid, w) else has_table_privilege(r, c.oid, w) end)`)
    expect(may).toEqual([])
  })
})
