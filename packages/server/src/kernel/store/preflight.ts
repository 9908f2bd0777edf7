/** What must hold of the database before the server runs on it: version, durability, row security, and that our role is powerless. */
import type pg from 'pg'
import { inspectFences } from './fences.ts'
import { pendingMigrations } from './migrate.ts'
import { runtimeRoles } from './runtime-roles.ts'
import { connectionFault } from './pg-errors.ts'
import { openClient, type WatchedClient } from './watched-client.ts'

export interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
  readonly fix?: string
}

/** Minor versions before these have known holes in row security (CVE-2025-8713 and older). */
const safeMinor: Record<number, number> = { 15: 14, 16: 10, 17: 6 }
const lowestMajor = 15

const roleFix = (database: string) =>
  `Let the migration make a powerless role: DATABASE_ADMIN_URL='<this owner URL>' DATABASE_URL='postgres://work_manager_runtime:<a new password>@<host>/${database}' npx work-manager migrate, then start with the same DATABASE_URL.`

export interface Engine {
  /** As version() says it. */
  readonly version: string
  readonly isStandby: boolean
  /** Tables of ours that an extension spread over several servers. */
  readonly distributed: readonly string[]
}

async function readEngine(client: pg.Client): Promise<Engine> {
  const { rows } = await client.query<{ version: string; standby: boolean; spreads: boolean }>(
    `select version(), pg_is_in_recovery() as standby, to_regclass('pg_dist_partition') is not null as spreads`,
  )
  const { version, standby: isStandby, spreads } = rows[0]!
  const found = spreads
    ? await client.query<{ name: string }>(
        `select c.relname::text as name from pg_dist_partition d join pg_catalog.pg_class c on c.oid = d.logicalrelid
          where c.relnamespace = to_regnamespace('wm') order by 1`,
      )
    : { rows: [] }
  return { version, isStandby, distributed: found.rows.map(({ name }) => name) }
}

/** What would quietly take a guarantee away: the exclusion of pauses, the order of numbers and exact limits hang on one PostgreSQL. */
export function judgeEngine({ version, isStandby, distributed }: Engine): Finding[] {
  const isOther = !/^PostgreSQL \d/.test(version) || /-YB-|Greenplum|CockroachDB|Redshift|openGauss/i.test(version)
  const about = (check: string, ok: boolean, detail: string, fix: string): Finding => ({ check, ok, detail, ...(ok ? {} : { fix }) })
  return [
    about(
      'engine',
      !isOther,
      isOther ? `This is ${version.slice(0, 80)}: locks and constraints mean something else there.` : 'PostgreSQL itself',
      'Use PostgreSQL; where one is too small, put groups of tenants on several.',
    ),
    about(
      'primary',
      !isStandby,
      isStandby ? 'This server is a standby: it takes no writes, and what it shows is late.' : 'takes writes',
      'Connect to the primary (DATABASE_URL with target_session_attrs=read-write finds it).',
    ),
    about(
      'undistributed tables',
      distributed.length === 0,
      distributed.length === 0 ? 'every table is on this server' : `spread over several servers: ${distributed.join(', ')}`,
      'Undistribute them: pauses, numbers of the record and lease limits are exact on one server only. Put groups of tenants on several PostgreSQL instead.',
    ),
  ]
}

/** Begins the transaction that all other looking is done in: only inside one do two statements surely reach the same server process. */
async function inspectPooler(client: WatchedClient): Promise<Finding> {
  const about = (ok: boolean, detail: string): Finding => ({ check: 'pooler', ok, detail })
  try {
    await client.query('begin')
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    return rows[0]!.pid === client.processID
      ? about(true, 'none: connections are our own')
      : about(true, 'one lends us connections; every transaction brings what it needs')
  } catch (error) {
    if (connectionFault(error) !== 'pooler') throw error
    return {
      ...about(false, `The pooler in front of the database allows no transactions: ${(error as Error).message}.`),
      fix: 'PgBouncer: set pool_mode = transaction (or session) for this database, reload it, then start again.',
    }
  }
}

/** Every finding, good or bad, in the order a person would check them. Opens one connection of its own. */
export async function inspectDatabase(runtimeUrl: string): Promise<Finding[]> {
  const client = await openClient({ connectionString: runtimeUrl, application_name: 'work-manager preflight' })
  const findings: Finding[] = []
  const add = (check: string, ok: boolean, detail: string, fix?: string) =>
    findings.push({ check, ok, detail, ...(ok || !fix ? {} : { fix }) })
  try {
    const pooler = await inspectPooler(client)
    findings.push(pooler)
    if (!pooler.ok) return findings
    const one = async <Row extends object>(text: string, values: unknown[] = []): Promise<Row> =>
      (await client.query(text, values)).rows[0] as Row
    const { v, db } = await one<{ v: number; db: string }>(
      `select current_setting('server_version_num')::int as v, current_database() as db`,
    )
    const major = Math.floor(v / 10_000)
    const minor = v % 10_000
    const minorNeeded = safeMinor[major] ?? 0
    add(
      'postgresql version',
      major >= lowestMajor && minor >= minorNeeded,
      `PostgreSQL ${major}.${minor}`,
      major < lowestMajor
        ? `Use PostgreSQL ${lowestMajor} or newer.`
        : `Update to ${major}.${minorNeeded}: earlier minor releases have known holes in row security.`,
    )

    const engine = await readEngine(client)
    for (const finding of judgeEngine(engine)) add(finding.check, finding.ok, finding.detail, finding.fix)

    const durability = await one<{ fsync: string; commit: string; pages: string }>(
      `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit, current_setting('full_page_writes') as pages`,
    )
    add(
      'durability',
      durability.fsync === 'on' && durability.commit !== 'off' && durability.pages === 'on',
      `fsync=${durability.fsync} synchronous_commit=${durability.commit} full_page_writes=${durability.pages}`,
      'Set all three to on: acknowledged work could be lost in a crash.',
    )

    const { exists } = await one<{ exists: boolean }>(`select to_regclass('public.work_manager_migrations') is not null as exists`)
    if (!exists) {
      add(
        'schema',
        false,
        'The database has no Work Manager schema yet.',
        'Run `npx work-manager migrate` with DATABASE_ADMIN_URL (the owner) and DATABASE_URL (the runtime role) set.',
      )
      return findings
    }
    // Since 16 whoever makes a role is its member without being allowed to take it on: an owner who is no superuser is such a one.
    const mayTakeOn = major >= 16 ? 'set' : 'member'
    const role = await one<{ me: string; super: boolean; bypass: boolean; member: boolean; app: boolean; missing: string[] }>(
      `
      select r.rolname as me, r.rolsuper as super, r.rolbypassrls as bypass,
             exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'wm' and pg_has_role(r.rolname, c.relowner, 'member')) as member,
             pg_has_role(r.rolname, 'wm_app', $1) as app,
             -- A role that is not there yet comes with a migration, which is told below.
             (select coalesce(array_agg(w.rolname::text), '{}') from pg_roles w where w.rolname = any ($2) and not pg_has_role(r.rolname, w.oid, $1)) as missing
        from pg_roles r where r.rolname = session_user`,
      [mayTakeOn, runtimeRoles],
    )
    const power = [role.super && 'a superuser', role.bypass && 'may bypass row security', role.member && 'owns the tables'].filter(Boolean)
    add(
      'runtime role',
      power.length === 0,
      power.length === 0 ? `${role.me} owns nothing` : `The role '${role.me}' is ${power.join(' and ')}: it could read every tenant.`,
      roleFix(db),
    )
    add(
      'runtime grants',
      role.missing.length === 0,
      role.missing.length === 0
        ? `${role.me} may take on ${runtimeRoles.join(', ')}`
        : `${role.me} may not take on ${role.missing.join(', ')}`,
      'Run `npx work-manager migrate` with DATABASE_URL set to the runtime role.',
    )
    if (!role.app) return findings

    const { bare } = await one<{ bare: string[] }>(`
      select coalesce(array_agg(c.relname::text order by c.relname), '{}') as bare
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'wm' and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
         and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)`)
    add(
      'row security',
      bare.length === 0,
      bare.length === 0 ? 'on and forced on every tenant table' : `missing on: ${bare.join(', ')}`,
      'Run `npx work-manager migrate`; if it stays, somebody switched it off by hand: alter table … enable, force row level security.',
    )

    const { inherits } = await one<{ inherits: boolean }>(
      `select coalesce(bool_or(pg_has_role(session_user, w.oid, 'usage')), false) as inherits from pg_roles w where w.rolname = any ($1)`,
      [runtimeRoles],
    )
    add(
      'runtime role without set role',
      !inherits,
      inherits ? `${role.me} inherits a runtime role: a statement that forgets its role would see every tenant.` : 'sees nothing',
      major >= 16
        ? `Run \`npx work-manager migrate\`; if it stays: grant ${runtimeRoles.join(', ')} to "${role.me}" with inherit false; (by whoever granted them).`
        : `Run \`npx work-manager migrate\`; if it stays: alter role "${role.me}" noinherit;`,
    )

    await client.query('set local role wm_app')
    for (const fence of await inspectFences(client)) add(fence.check, fence.wrong.length === 0, fence.detail, fence.fix)
    const pending = await pendingMigrations(async (text) => (await client.query(text)).rows as Array<{ name: string; hash: string }>)
    add(
      'migrations',
      pending.length === 0,
      pending.length === 0 ? 'up to date' : `pending: ${pending.join(', ')}`,
      'Run `npx work-manager migrate`.',
    )
    const { skew } = await one<{ skew: number }>(`select extract(epoch from clock_timestamp())::float8 - $1::float8 as skew`, [
      Date.now() / 1000,
    ])
    add(
      'clock',
      Math.abs(skew) < 5,
      `database and host differ by ${Math.abs(skew).toFixed(1)} s; leases follow the database`,
      'Synchronise both clocks (NTP).',
    )
    return findings
  } finally {
    // What was set ends here, and is not left behind on a connection that a pooler lends to others.
    await client.query('rollback').catch(() => {})
    await client.end().catch(() => {})
  }
}

/** Fit to serve on all the same: what they guard is guarded a second time. */
const warnings: ReadonlySet<string> = new Set(['clock', 'temporary objects'])

/** Findings that the server must not start with; the rest are shown as warnings. */
export const isFatal = (finding: Finding): boolean => !finding.ok && !warnings.has(finding.check)
