/** Migrating: once, in order, by one at a time, never with an edited file, and with a login that can do nothing else. */
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { onDatabase } from '../../../testing/database-url.ts'
import { closeGate } from '../../../testing/row-gate.ts'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { until } from '../../../testing/test-server.ts'
import { migrate, MigrationError } from './migrate.ts'
import { inspectDatabase, isFatal } from './preflight.ts'

let server: TestDatabase
let made = 0
const undo: string[] = []

beforeAll(async () => {
  server = await createTestDatabase()
})
afterEach(async () => {
  for (const statement of undo.splice(0).toReversed()) await server.sql(statement)
})
afterAll(() => server.drop())

async function emptyDatabase(owner = ''): Promise<string> {
  const name = `${server.name}_${++made}`
  await server.sql(`create database ${name} ${owner}`)
  undo.push(`drop database ${name} with (force)`)
  return name
}
async function run(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

describe('migrate', () => {
  it('run again changes nothing', async () => {
    expect(await migrate({ adminUrl: server.adminUrl, runtimeUrl: server.runtimeUrl })).toEqual({ applied: [], routinesReplaced: false })
  })

  it('started three times at once migrates once', async () => {
    const adminUrl = onDatabase(server.adminUrl, await emptyDatabase())
    const reports = await Promise.all([1, 2, 3].map(() => migrate({ adminUrl, runtimeUrl: server.runtimeUrl })))
    expect(reports.filter((report) => report.applied.length > 0)).toHaveLength(1)
    expect(reports.filter((report) => report.routinesReplaced)).toHaveLength(1)
    expect(await run(adminUrl, 'select count(*)::int as n from wm.cluster')).toEqual([{ n: 1 }])
  })

  it('puts routines back that were changed, and says so', async () => {
    await server.sql(
      `update public.work_manager_migrations set hash = 'of another version' where name = 'routines'; create or replace function wm.netstring(t text) returns text language sql immutable as 'select t'`,
    )
    expect(await migrate({ adminUrl: server.adminUrl })).toEqual({ applied: [], routinesReplaced: true })
    expect(await server.sql(`select wm.netstring('ä') as n`)).toEqual([{ n: '2:ä,' }])
  })

  it.each([
    [
      'a migration that was edited after it was applied',
      `update public.work_manager_migrations set hash = 'another' where name = '000001_core.sql'`,
      'The migration 000001_core.sql was edited after it was applied.',
      'Restore the file; put changes into a new migration.',
    ],
    [
      'a database that is newer than the program',
      `insert into public.work_manager_migrations (name, hash) values ('000999_from_the_future.sql', 'x')`,
      'The database is newer than this program: it has the migrations 000999_from_the_future.sql.',
      'Start the newer version of Work Manager that made them.',
    ],
  ])('refuses %s, and leaves it as it is', async (_, change, message, fix) => {
    const adminUrl = onDatabase(server.adminUrl, await emptyDatabase())
    await migrate({ adminUrl })
    await run(adminUrl, change)
    const kept = 'select name, hash from public.work_manager_migrations order by name'
    const before = await run(adminUrl, kept)
    const refusal = await migrate({ adminUrl }).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(MigrationError)
    expect(refusal).toMatchObject({ message, fix })
    expect(await run(adminUrl, kept)).toEqual(before)
  })
})

describe('a connection that cannot migrate', () => {
  const changed = () => server.sql(`update public.work_manager_migrations set hash = 'of another version' where name = 'routines'`)
  const withOptions = (options: string) =>
    `${server.adminUrl.replace(/[?&]options=[^&]*/, '')}${server.adminUrl.includes('?') ? '&' : '?'}options=${encodeURIComponent(options)}`

  it.each([
    ['is not the owner’s', () => server.runtimeUrl, /^This login may not change the schema: permission denied/, /DATABASE_ADMIN_URL/],
    [
      'takes no changes',
      () => withOptions('-c default_transaction_read_only=on'),
      /^The database takes no changes: cannot execute/,
      /the primary in DATABASE_ADMIN_URL/,
    ],
  ])('one that %s is told so', async (_, url, message, fix) => {
    await changed()
    const refusal = await migrate({ adminUrl: url() }).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(MigrationError)
    expect(refusal).toMatchObject({ message: expect.stringMatching(message), fix: expect.stringMatching(fix) })
  })

  it('limits that are set for those who serve do not end it', async () => {
    await changed()
    const gate = await closeGate(server, `select pg_advisory_xact_lock(hashtextextended('work-manager.migrate', 0))`)
    const migrated = migrate({ adminUrl: withOptions('-c statement_timeout=1000 -c lock_timeout=1000') })
    migrated.catch(() => {})
    const waitsForLonger = `select from pg_stat_activity where datname = $1 and application_name = 'work-manager migrate'
      and wait_event_type = 'Lock' and clock_timestamp() - query_start > interval '1.2 seconds'`
    await until(async () => (await server.sql(waitsForLonger, [server.name])).length > 0, 'it waits for longer than the limits')
    await gate.open()
    expect(await migrated).toEqual({ applied: [], routinesReplaced: true })
  })
})

describe('a database server of somebody else', () => {
  it('is migrated by an owner who is no superuser; the runtime login is made, may serve, and may do nothing more', async () => {
    const owner = `wm_test_owner_${process.pid}`
    const login = `wm_test_login_${process.pid}`
    await server.sql(`create role ${owner} login createrole password 'owner'`)
    // On a server of its own the first migration makes the two roles; here they are there already, so their maker hands them on.
    await server.sql(`grant wm_app, wm_system, wm_window to ${owner} with admin option, inherit false, set false`)
    undo.push(`drop role if exists ${login}`, `drop role ${owner}`)
    const name = await emptyDatabase(`owner ${owner}`)
    undo.push(`drop role if exists ${login}`)
    const as = (user: string, password: string) => onDatabase(server.adminUrl, name).replace(/\/\/[^@]*@/, `//${user}:${password}@`)
    const [adminUrl, runtimeUrl] = [as(owner, 'owner'), as(login, 'p%40ss')]

    const report = await migrate({ adminUrl, runtimeUrl })
    expect(report.applied.length).toBeGreaterThan(0)
    expect((await inspectDatabase(runtimeUrl)).filter(isFatal)).toEqual([])
    expect(await run(runtimeUrl, 'select current_user::text as me')).toEqual([{ me: login }])
    expect(await run(runtimeUrl, 'set role wm_app')).toEqual([])
    // Without taking on a role the login can read nothing at all.
    await expect(run(runtimeUrl, 'select * from wm.orders')).rejects.toMatchObject({ code: '42501' })
    await expect(run(runtimeUrl, 'set role wm_app; create table wm.mine (n integer)')).rejects.toMatchObject({ code: '42501' })
    // The owner is under row security as well.
    expect(await run(adminUrl, 'select count(*)::int as n from wm.orders')).toEqual([{ n: 0 }])
    expect(await migrate({ adminUrl, runtimeUrl })).toEqual({ applied: [], routinesReplaced: false })
    expect((await inspectDatabase(adminUrl)).filter(isFatal).map((finding) => finding.check)).toEqual(['runtime role', 'runtime grants'])
  })
})
