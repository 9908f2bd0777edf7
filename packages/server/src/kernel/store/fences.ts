/**
 * What the catalogue must say besides "row security is on": which policies, that nothing lets a runtime role run code as the owner, and
 * that the guards fire. A policy that was replaced or added by hand opens as much as one that was switched off.
 */
import type pg from 'pg'
import { runtimeRoles } from './runtime-roles.ts'

export interface Fence {
  readonly check: string
  /** What is not as it must be, by name. */
  readonly wrong: readonly string[]
  readonly detail: string
  readonly fix: string
}

/** The path of every function that runs as its owner. pg_temp is named, since it comes first where it is not. */
export const definerPath = 'search_path=pg_catalog, pg_temp'

const tenantRule = '(tenant_id = wm.current_tenant())'

/** Each row is one policy that is missing, other than it must be, or there without being known. */
const wrongPolicies = `
  with tables as (
    select c.oid, c.relname::text as name, c.relispartition as part,
           case when c.relname = 'tenants' then '(id = wm.current_tenant())' else '${tenantRule}' end as rule
      from pg_catalog.pg_class c
     where c.relnamespace = 'wm'::pg_catalog.regnamespace and c.relkind in ('r', 'p')
       and (c.relname = 'tenants' or exists (
         select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped))
  ), expected as (
    select t.oid, t.name, w.policy, w.role, w.rule,
           case when t.name = 'tenants' and w.policy = 'app' then null else w.rule end as checked
      from tables t cross join lateral (values ('app', 'wm_app', t.rule), ('system', 'wm_system', 'true')) w (policy, role, rule)
     where not t.part
    union all
    select t.oid, t.name, 'window', 'wm_window', w.rule, case when t.name = 'tenants' then null else w.rule end
      from tables t cross join lateral (select case when t.name = 'tenants' then 'wm.is_in_window(id)' else 'wm.is_in_window(tenant_id)' end as rule) w
     where t.name = any (array['tenants', 'api_keys', 'orders', 'items', 'submissions', 'idempotency', 'intake', 'pauses'])
  ), found as (
    select t.oid, t.name, p.polname::text as policy, p.polpermissive as permissive, p.polcmd as command, p.polroles as roles,
           pg_catalog.pg_get_expr(p.polqual, p.polrelid) as rule, pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) as checked
      from tables t join pg_catalog.pg_policy p on p.polrelid = t.oid
  )
  select coalesce(e.name, f.name) || '.' || coalesce(e.policy, f.policy) as wrong
    from expected e full join found f on f.oid = e.oid and f.policy = e.policy
   where (e.oid is null and f.permissive) or (e.oid is not null and (f.oid is null or not f.permissive or f.command <> '*'
      or f.roles <> array[e.role::pg_catalog.regrole::pg_catalog.oid] or f.rule is distinct from e.rule
      or f.checked is distinct from e.checked))
   order by 1`

/** The policies are as good as the functions that they ask. */
const wrongTenantFunctions = `
  select p.oid::pg_catalog.regprocedure::text as wrong from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
   where p.pronamespace = 'wm'::pg_catalog.regnamespace and p.proname in ('current_tenant', 'is_in_window')
     and not (l.lanname = 'sql' and btrim(p.prosrc) in ($body$select nullif(current_setting('wm.tenant_id', true), '')::uuid$body$,
       $body$select strpos(current_setting('wm.window', true), ',' || tenant::text || ',') > 0$body$))`

const loosePaths = `
  select p.oid::pg_catalog.regprocedure::text as wrong from pg_catalog.pg_proc p
   where p.pronamespace = 'wm'::pg_catalog.regnamespace and p.prosecdef
     and (not coalesce('${definerPath}' = any (p.proconfig), false) or pg_catalog.has_function_privilege('public', p.oid, 'execute'))
   order by 1`

const sleepingGuards = `
  select c.relname || '.' || t.tgname as wrong from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid
   where c.relnamespace = 'wm'::pg_catalog.regnamespace and not t.tgisinternal and t.tgenabled not in ('O', 'A')
   order by 1`

/** Reads the catalogue only, as a role that may use our schema. Sets the path of its transaction, since names are shown by it. */
export async function inspectFences(client: pg.ClientBase): Promise<Fence[]> {
  const names = async (text: string): Promise<string[]> => (await client.query<{ wrong: string }>(text)).rows.map((row) => row.wrong)
  await client.query('set local search_path = pg_catalog, pg_temp')
  const policies = [...(await names(wrongPolicies)), ...(await names(wrongTenantFunctions))]
  const paths = await names(loosePaths)
  const guards = await names(sleepingGuards)
  const { rows } = await client.query<{ may: boolean }>(
    `select pg_catalog.bool_or(pg_catalog.has_database_privilege(r, pg_catalog.current_database(), 'temporary')) as may
       from pg_catalog.unnest($1::text[] || session_user::text) r`,
    [[...runtimeRoles]],
  )
  const temporary = rows[0]!.may ? ['temporary'] : []
  const said = (wrong: readonly string[], good: string, bad: string) => (wrong.length === 0 ? good : `${bad}: ${wrong.join(', ')}`)
  return [
    {
      check: 'policies',
      wrong: policies,
      detail: said(policies, 'each table lets a role see its tenant only', 'replaced, added or missing'),
      fix: 'Somebody changed them by hand: drop what was added and restore those of the migrations (packages/server/migrations).',
    },
    {
      check: 'functions of the owner',
      wrong: paths,
      detail: said(paths, 'find nothing of their callers', 'may find objects of their callers, or anybody may call them'),
      fix: `Run \`npx work-manager migrate\`; if it stays: alter function … set search_path = pg_catalog, pg_temp; revoke all on function … from public;`,
    },
    {
      check: 'guards',
      wrong: guards,
      detail: said(guards, 'every trigger fires', 'switched off'),
      fix: 'Somebody switched them off by hand: alter table wm.… enable trigger …;',
    },
    {
      check: 'temporary objects',
      wrong: temporary,
      detail: temporary.length === 0 ? 'the runtime role may make none' : 'the runtime role may make temporary tables and functions',
      fix: 'As the owner of the database: revoke temporary on database … from public;',
    },
  ]
}
