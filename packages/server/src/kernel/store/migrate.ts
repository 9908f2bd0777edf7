/**
 * Brings a database to this program's schema. Numbered files run once, in order, and are never edited afterwards (their hash is kept
 * and compared); routines (functions and triggers) are replaced as a whole whenever they changed. One transaction, one migrator at a time,
 * and none that makes callers of running processes wait for longer than a moment (lock-patience.ts).
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import pg from 'pg'
import { changeWhileInUse, defaultPatienceMs } from './lock-patience.ts'
import { runtimeRoles } from './runtime-roles.ts'
import { openClient } from './watched-client.ts'

export class MigrationError extends Error {
  readonly fix: string
  constructor(message: string, fix: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MigrationError'
    this.fix = fix
  }
}

export interface MigrationReport {
  readonly applied: readonly string[]
  readonly routinesReplaced: boolean
}

const migrationsDirectory = new URL('../../../migrations/', import.meta.url)
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

interface SqlFile {
  readonly name: string
  readonly text: string
}
const hashOf = (files: readonly SqlFile[]) => sha256(files.map((file) => file.text).join('\n'))

async function readSql(directory: URL): Promise<SqlFile[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(new URL(name, directory), 'utf8') })))
}

async function grantRuntime(client: pg.Client, login: { user: string; password?: string | undefined }): Promise<void> {
  const quoted = client.escapeIdentifier(login.user)
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [login.user])
  if (rowCount === 0) {
    const password = login.password ? ` password ${client.escapeLiteral(login.password)}` : ''
    await client.query(`create role ${quoted} login nosuperuser nocreatedb nocreaterole nobypassrls noinherit${password}`)
  }
  await client.query(`grant ${runtimeRoles.join(', ')} to ${quoted}`)
  await takeInheritance(client, login.user)
}

/**
 * A login that inherits its roles sees all tenants wherever somebody forgot `set role`; one that does not, sees nothing. Since version 16
 * that is said with each membership, before with the role. An owner who may not say it leaves it, and the preflight tells.
 */
async function takeInheritance(client: pg.Client, user: string): Promise<void> {
  const { rows } = await client.query<{ inherits: boolean; major: number }>(
    `select coalesce(bool_or(pg_has_role($1, r, 'usage')), false) as inherits, current_setting('server_version_num')::int / 10000 as major
       from unnest($2::text[]) r`,
    [user, runtimeRoles],
  )
  const { inherits, major } = rows[0]!
  if (!inherits) return
  const quoted = client.escapeIdentifier(user)
  const change = major >= 16 ? `grant ${runtimeRoles.join(', ')} to ${quoted} with inherit false` : `alter role ${quoted} noinherit`
  await client.query('savepoint inheritance')
  await client.query(change).catch(() => client.query('rollback to savepoint inheritance'))
}

/**
 * Temporary objects and tables of their own are what a runtime role would need to stand in front of ours. Privileges of a database are not
 * copied with it, so they are taken at every migration; only its owner may (a preflight finding otherwise).
 */
async function closeDatabase(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ db: string; mine: boolean }>(
    `select datname as db, pg_has_role(current_user, datdba, 'usage') as mine from pg_database where datname = current_database()`,
  )
  const { db, mine } = rows[0]!
  if (!mine) return
  await client.query(`revoke temporary, create on database ${client.escapeIdentifier(db)} from public, ${runtimeRoles.join(', ')}`)
  await client.query(`revoke create on schema public from public, ${runtimeRoles.join(', ')}`)
}

export interface MigrateOptions {
  readonly adminUrl: string
  readonly runtimeUrl?: string | undefined
  /** For how long tables that are in use are tried for. */
  readonly patienceMs?: number | undefined
  /** Hears what a person should know while it goes on: who is in the way. */
  readonly say?: ((sentence: string) => void) | undefined
}

/**
 * Migrates with the owner's connection and lets the runtime login take on the runtime roles (creating the login if it is missing).
 * Refuses with: MigrationError (a database that is newer than this program, an edited migration, no owner, a standby), LocksHeldError.
 */
export async function migrate(options: MigrateOptions): Promise<MigrationReport> {
  const bring = { files: await readSql(migrationsDirectory), routines: await readSql(new URL('routines/', migrationsDirectory)) }
  const client = await openClient({ connectionString: options.adminUrl, application_name: 'work-manager migrate' })
  // Another migrator may be at it, and a new index takes as long as it takes.
  client.answerWithinMs = 0
  try {
    return await changeWhileInUse(
      client,
      {
        url: options.adminUrl,
        patienceMs: options.patienceMs ?? defaultPatienceMs,
        first: `select pg_advisory_xact_lock(hashtextextended('work-manager.migrate', 0))`,
        say: options.say ?? (() => {}),
      },
      () => bringUpToDate(client, bring, options.runtimeUrl),
    )
  } catch (error) {
    throw asMigrationError(error)
  } finally {
    await client.end()
  }
}

/** What is wrong with the connection or the place, in words; anything else is as it came. */
function asMigrationError(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error
  const { code, message } = error
  if (code === '42501')
    return new MigrationError(
      `This login may not change the schema: ${message}.`,
      'Migrate as the owner of the database: DATABASE_ADMIN_URL=postgres://owner@…; the first time the owner also needs CREATEROLE.',
      { cause: error },
    )
  if (code === '25006')
    return new MigrationError(
      `The database takes no changes: ${message}.`,
      'Name the primary in DATABASE_ADMIN_URL; or it was set to read-only (default_transaction_read_only).',
      { cause: error },
    )
  if (code === '53100')
    return new MigrationError(`The database has no room left: ${message}.`, 'Make room on its disk, then migrate again.', { cause: error })
  return error
}

/** In a transaction, while no other migrator is at it. */
async function bringUpToDate(
  client: pg.Client,
  { files, routines }: { files: readonly SqlFile[]; routines: readonly SqlFile[] },
  runtimeUrl: string | undefined,
): Promise<MigrationReport> {
  await client.query(`set local client_min_messages = warning`)
  await client.query(
    `create table if not exists public.work_manager_migrations (name text primary key, hash text not null, applied_at timestamptz not null default now())`,
  )
  const { rows } = await client.query<{ name: string; hash: string }>('select name, hash from public.work_manager_migrations')
  const done = new Map(rows.map((row) => [row.name, row.hash]))
  const unknown = [...done.keys()].filter((name) => name !== 'routines' && !files.some((file) => file.name === name))
  if (unknown.length > 0)
    throw new MigrationError(
      `The database is newer than this program: it has the migrations ${unknown.join(', ')}.`,
      'Start the newer version of Work Manager that made them.',
    )
  const applied: string[] = []
  for (const file of files) {
    const known = done.get(file.name)
    if (known !== undefined && known !== sha256(file.text))
      throw new MigrationError(
        `The migration ${file.name} was edited after it was applied.`,
        'Restore the file; put changes into a new migration.',
      )
    if (known !== undefined) continue
    await client.query(file.text)
    await client.query('insert into public.work_manager_migrations (name, hash) values ($1, $2)', [file.name, sha256(file.text)])
    applied.push(file.name)
  }
  const routinesHash = hashOf(routines)
  const routinesReplaced = done.get('routines') !== routinesHash
  if (routinesReplaced) {
    for (const file of routines) await client.query(file.text)
    await client.query(
      `insert into public.work_manager_migrations (name, hash) values ('routines', $1) on conflict (name) do update set hash = excluded.hash, applied_at = now()`,
      [routinesHash],
    )
  }
  await client.query('select wm.ensure_event_partitions(2)')
  await client.query('grant select on public.work_manager_migrations to wm_app, wm_system')
  await closeDatabase(client)
  if (runtimeUrl) {
    // pg's own reading of the connection string: WHATWG URLs know no empty host, and Unix sockets have none.
    const login = new pg.Client({ connectionString: runtimeUrl })
    await grantRuntime(client, { user: login.user!, password: login.password ?? undefined })
  }
  return { applied, routinesReplaced }
}

/** The names of the migrations that this program brings and the database lacks; with `routines` when those differ. */
export async function pendingMigrations(query: (text: string) => Promise<Array<{ name: string; hash: string }>>): Promise<string[]> {
  const files = await readSql(migrationsDirectory)
  const routines = await readSql(new URL('routines/', migrationsDirectory))
  const done = new Map((await query('select name, hash from public.work_manager_migrations')).map((row) => [row.name, row.hash]))
  const pending = files.filter((file) => !done.has(file.name)).map((file) => file.name)
  if (done.get('routines') !== hashOf(routines)) pending.push('routines')
  return pending
}
