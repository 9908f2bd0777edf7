/** What a runtime role would need to become the owner, and what the catalogue must say so that it never has it. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { runtimeRoles } from './runtime-roles.ts'
import { definerPath } from './fences.ts'
import { migrate } from './migrate.ts'
import { inspectDatabase, isFatal } from './preflight.ts'

/** Functions that run as their owner, and why each must. A new one is judged by the tests below as soon as it exists. */
const definerFunctions: Record<string, string> = {
  'wm.ensure_event_partitions(integer)': 'makes tables',
  'wm.refresh_statistics()': 'analyses tables',
}

let database: TestDatabase
let login: string
beforeAll(async () => {
  database = await createTestDatabase()
  await migrate({ adminUrl: database.adminUrl, runtimeUrl: database.runtimeUrl })
  login = new pg.Client({ connectionString: database.runtimeUrl }).user!
})
afterAll(() => database.drop())

async function asRuntime<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: database.runtimeUrl })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
const names = async (text: string): Promise<string[]> => (await database.sql<{ name: string }>(text)).map(({ name }) => name)

describe('a runtime role with objects of its own in front of the catalogue', () => {
  it('runs nothing as the owner, whatever it calls', async () => {
    // Even where the owner could not take the privilege away.
    await database.sql(`grant temporary on database ${database.name} to public`)
    const definers = await names(
      `select p.oid::regprocedure::text as name from pg_proc p where p.pronamespace = 'wm'::regnamespace and p.prosecdef order by 1`,
    )
    try {
      const ran = await asRuntime(async (client) => {
        await client.query('set role wm_system')
        await client.query(`create temporary table seen (who name)`)
        await client.query(`grant all on seen to public`)
        await client.query(`create function pg_temp.note() returns boolean language plpgsql as
          $$ begin insert into pg_temp.seen values (current_user); return true; end $$`)
        // Every relation of the catalogue that a function could read by its bare name, and every type that it could cast to.
        const { rows: relations } = await client.query<{ name: string }>(
          `select c.relname as name from pg_class c where c.relnamespace = 'pg_catalog'::regnamespace and c.relkind in ('r', 'v')
              and has_table_privilege(c.oid, 'select')`,
        )
        for (const { name } of relations)
          await client
            .query(`create temporary view "${name}" as select * from pg_catalog."${name}" where pg_temp.note()`)
            .catch(() => undefined)
        for (const type of ['date', 'text', 'integer', 'int4', 'timestamptz', 'interval', 'record', 'regclass', 'name'])
          await client.query(`create domain pg_temp."${type}" as pg_catalog."${type}" check (pg_temp.note())`).catch(() => undefined)
        for (const definer of definers) await client.query(`select ${definer.replace('integer', '3')}`).catch(() => undefined)
        await client.query('reset role')
        const { rows } = await client.query<{ who: string }>(`select distinct who from pg_temp.seen where who not in ('wm_system', $1)`, [
          login,
        ])
        return rows.map(({ who }) => who)
      })
      expect(ran).toEqual([])
    } finally {
      await database.sql(`revoke temporary on database ${database.name} from public`)
    }
  })

  it.each(runtimeRoles)('may make none after a migration: %s', async (role) => {
    await asRuntime(async (client) => {
      await client.query(`set role ${role}`)
      for (const statement of [
        'create temporary table mine ()',
        'create table public.mine ()',
        'create table wm.mine ()',
        'create schema mine',
      ])
        await expect(client.query(statement), statement).rejects.toMatchObject({ code: '42501' })
    })
  })

  it('sees nothing when it forgets to take on a role', async () => {
    await asRuntime((client) => expect(client.query('select from wm.orders')).rejects.toMatchObject({ code: '42501' }))
  })

  it('is shut out again by the next migration of a database that lets it in', async () => {
    // A login of its own: roles are of the whole cluster, and other tests start servers with the usual one meanwhile.
    const careless = `careless_${database.name}`
    const runtimeUrl = database.runtimeUrl.replace(/\/\/[^@]*@/, `//${careless}:careless@`)
    await database.sql(
      `create role ${careless} login noinherit password 'careless'; grant connect on database ${database.name} to ${careless}`,
    )
    await migrate({ adminUrl: database.adminUrl, runtimeUrl })
    await database.sql(`grant temporary on database ${database.name} to public; grant create on schema public to public`)
    await database.sql(`grant wm_app to ${careless} with inherit true; alter function wm.refresh_statistics() set search_path = pg_catalog`)
    try {
      const findings = (await inspectDatabase(runtimeUrl)).filter((finding) => !finding.ok)
      expect(findings.map(({ check, detail }) => [check, detail])).toEqual([
        ['runtime role without set role', `${careless} inherits a runtime role: a statement that forgets its role would see every tenant.`],
        ['functions of the owner', 'may find objects of their callers, or anybody may call them: wm.refresh_statistics()'],
        ['temporary objects', 'the runtime role may make temporary tables and functions'],
      ])
      expect(findings.filter(isFatal).map(({ check }) => check)).toEqual(['runtime role without set role', 'functions of the owner'])
      await database.sql(`delete from public.work_manager_migrations where name = '000008_definer_functions.sql'`)
      await migrate({ adminUrl: database.adminUrl, runtimeUrl: runtimeUrl })
      expect((await inspectDatabase(runtimeUrl)).filter((finding) => !finding.ok)).toEqual([])
    } finally {
      await migrate({ adminUrl: database.adminUrl, runtimeUrl: runtimeUrl })
    }
  })
})

describe('the catalogue', () => {
  it('knows the functions that run as their owner: each with the path, none for everybody', async () => {
    const rows = await database.sql<{ name: string; config: string[]; everybody: boolean; app: boolean }>(`
      select p.oid::regprocedure::text as name, p.proconfig as config, has_function_privilege('public', p.oid, 'execute') as everybody,
             has_function_privilege('wm_app', p.oid, 'execute') as app
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema') order by 1`)
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(definerFunctions).sort())
    for (const row of rows) expect(row, row.name).toMatchObject({ config: [definerPath], everybody: false, app: false })
  })

  it('grants on what is ours go to the runtime roles only, to hand on by nobody, and never more than rows', async () => {
    const grants = await database.sql<{ what: string; to: string; privilege: string; on: boolean }>(`
      with acls as (
        select c.relname::text as what, c.relowner as owner, a.* from pg_class c, aclexplode(c.relacl) a where c.relnamespace = 'wm'::regnamespace
        union all
        select c.relname || '.' || t.attname, c.relowner, a.* from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a
         where c.relnamespace = 'wm'::regnamespace
        union all
        select 'schema ' || n.nspname, n.nspowner, a.* from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = 'wm'
        union all
        select p.oid::regprocedure::text, p.proowner, a.* from pg_proc p, aclexplode(p.proacl) a where p.pronamespace = 'wm'::regnamespace)
      select what, case when grantee = 0 then 'public' else grantee::regrole::text end as to, privilege_type as privilege, is_grantable as on
        from acls where grantee <> owner`)
    expect(grants.length).toBeGreaterThan(50)
    const strange = grants.filter(
      ({ to, privilege, on, what }) =>
        on ||
        !((runtimeRoles as readonly string[]).includes(to) || (to === 'public' && privilege === 'EXECUTE')) ||
        !['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'USAGE', 'EXECUTE'].includes(privilege) ||
        (what.startsWith('schema') && privilege !== 'USAGE'),
    )
    expect(strange).toEqual([])
  })

  it('the runtime roles are in no other role, make nothing anywhere and set nothing for everybody', async () => {
    const roles = `('${[...runtimeRoles, login].join("', '")}')`
    expect(
      await names(`select m.roleid::regrole || ' to ' || m.member::regrole as name from pg_auth_members m
        where m.member::regrole::text in ${roles} and m.roleid::regrole::text not in ('${runtimeRoles.join("', '")}')`),
      'memberships',
    ).toEqual([])
    expect(
      await names(`select n.nspname || ' ' || r.rolname as name from pg_namespace n, pg_roles r
        where r.rolname in ${roles} and has_schema_privilege(r.oid, n.oid, 'create')`),
      'may create in',
    ).toEqual([])
    expect(
      await names(`select r.rolname || ' ' || w as name from pg_roles r, unnest(array['create', 'temporary']) w
        where r.rolname in ${roles} and has_database_privilege(r.oid, current_database(), w)`),
      'may on the database',
    ).toEqual([])
    expect(
      await names(`select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
        and exists (select from unnest(array['insert', 'update', 'delete', 'truncate']) w where has_table_privilege('wm_system', c.oid, w))`),
      'may write in public',
    ).toEqual([])
    expect(
      await names(`select s.setrole::regrole::text as name from pg_db_role_setting s where s.setrole::regrole::text in ${roles}`),
    ).toEqual([])
  })
})

describe('the start refuses a fence that was changed by hand', () => {
  it.each([
    [
      'a policy that was replaced',
      'alter policy app on wm.items using (true)',
      'alter policy app on wm.items using (tenant_id = wm.current_tenant())',
      'policies',
      'items.app',
    ],
    [
      'a check that was opened',
      'alter policy app on wm.items with check (true)',
      'alter policy app on wm.items with check (tenant_id = wm.current_tenant())',
      'policies',
      'items.app',
    ],
    [
      'a policy for everybody beside ours',
      'create policy open on wm.orders using (true)',
      'drop policy open on wm.orders',
      'policies',
      'orders.open',
    ],
    [
      'a policy on a partition',
      'create policy open on wm.events_default using (true)',
      'drop policy open on wm.events_default',
      'policies',
      'events_default.open',
    ],
    [
      'a policy for another role',
      'alter policy system on wm.orders to wm_system, wm_app',
      'alter policy system on wm.orders to wm_system',
      'policies',
      'orders.system',
    ],
    [
      'a policy that is gone',
      'alter policy app on wm.events rename to gone',
      'alter policy gone on wm.events rename to app',
      'policies',
      'events.app',
    ],
    [
      'tenants that see each other',
      'alter policy app on wm.tenants using (true)',
      'alter policy app on wm.tenants using (id = wm.current_tenant())',
      'policies',
      'tenants.app',
    ],
    [
      'another answer to "which tenant"',
      `create or replace function wm.current_tenant() returns uuid language sql stable parallel safe as $$ select gen_random_uuid() $$`,
      `create or replace function wm.current_tenant() returns uuid language sql stable parallel safe as $$ select nullif(current_setting('wm.tenant_id', true), '')::uuid $$`,
      'policies',
      'wm.current_tenant()',
    ],
    [
      'a guard that sleeps',
      'alter table wm.items disable trigger items_state_update',
      'alter table wm.items enable trigger items_state_update',
      'guards',
      'items.items_state_update',
    ],
    [
      'an open function',
      'grant execute on function wm.refresh_statistics() to public',
      'revoke execute on function wm.refresh_statistics() from public',
      'functions of the owner',
      'wm.refresh_statistics()',
    ],
  ])('%s', async (_, change, back, check, wrong) => {
    await database.sql(change)
    try {
      const fatal = (await inspectDatabase(database.runtimeUrl)).filter(isFatal)
      expect(fatal.map((finding) => finding.check)).toEqual([check])
      expect(fatal[0]!.detail).toContain(wrong)
      expect(fatal[0]!.fix).toBeTruthy()
    } finally {
      await database.sql(back)
    }
    expect((await inspectDatabase(database.runtimeUrl)).filter(isFatal)).toEqual([])
  })
})
