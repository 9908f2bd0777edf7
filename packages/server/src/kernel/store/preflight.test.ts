/** The server refuses a database on which its promises would be empty, and says what to do about it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onDatabase } from '../../../testing/database-url.ts'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { startTestServer } from '../../../testing/test-server.ts'
import { UnfitDatabaseError } from '../../main.ts'
import { migrate } from './migrate.ts'
import { type Engine, type Finding, inspectDatabase, isFatal, judgeEngine } from './preflight.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  // Privileges on a database are not cloned with it.
  await migrate({ adminUrl: database.adminUrl, runtimeUrl: database.runtimeUrl })
})
afterAll(() => database.drop())

const named = (findings: readonly Finding[], check: string): Finding => {
  const finding = findings.find((one) => one.check === check)
  if (!finding) throw new Error(`no finding '${check}' among: ${findings.map((one) => one.check).join(', ')}`)
  return finding
}
const inspect = async (check: string): Promise<Finding> => named(await inspectDatabase(database.runtimeUrl), check)

/** Changes the database, looks, and changes it back. */
async function whileChanged(change: string, back: string, look: () => Promise<void>): Promise<void> {
  await database.sql(change)
  try {
    await look()
  } finally {
    await database.sql(back)
  }
}

it('finds nothing wrong with a migrated database and the runtime login', async () => {
  const findings = await inspectDatabase(database.runtimeUrl)
  expect(findings.filter((finding) => !finding.ok)).toEqual([])
  expect(findings.map((finding) => finding.check)).toEqual([
    'pooler',
    'postgresql version',
    'engine',
    'primary',
    'undistributed tables',
    'durability',
    'runtime role',
    'runtime grants',
    'row security',
    'runtime role without set role',
    'policies',
    'functions of the owner',
    'guards',
    'temporary objects',
    'migrations',
    'clock',
  ])
})

describe('refuses to run', () => {
  it.each([
    ['a standby', { isStandby: true }, 'primary'],
    ['CockroachDB', { version: 'CockroachDB CCL v25.2.0 (x86_64-pc-linux-gnu)' }, 'engine'],
    ['YugabyteDB', { version: 'PostgreSQL 15.12-YB-2.25.2.0-b0 on x86_64-pc-linux-gnu' }, 'engine'],
    ['Greenplum', { version: 'PostgreSQL 12.12 (Greenplum Database 7.1.0 build commit:x)' }, 'engine'],
    ['a table that is spread over servers', { distributed: ['orders'] }, 'undistributed tables'],
  ] as Array<[string, Partial<Engine>, string]>)('on %s', (_, change, check) => {
    const sound: Engine = { version: 'PostgreSQL 18.1 on x86_64-pc-linux-gnu', isStandby: false, distributed: [] }
    expect(judgeEngine(sound).filter(isFatal)).toEqual([])
    expect(judgeEngine({ ...sound, ...change }).filter(isFatal)).toMatchObject([{ check, fix: expect.stringMatching(/\w/) }])
  })

  it('where an extension says that it spread our tables', () =>
    whileChanged(
      `create table public.pg_dist_partition (logicalrelid regclass); insert into public.pg_dist_partition values ('wm.items'), ('pg_class');
       grant select on public.pg_dist_partition to public`,
      'drop table public.pg_dist_partition',
      async () => expect((await inspect('undistributed tables')).detail).toBe('spread over several servers: items'),
    ))

  it('as a superuser: the server does not even start, and hears how to make a powerless role', async () => {
    const starting = startTestServer({ database: { ...database, runtimeUrl: database.adminUrl } })
    await expect(starting).rejects.toBeInstanceOf(UnfitDatabaseError)
    const { message } = (await starting.catch((error: unknown) => error)) as UnfitDatabaseError
    expect(message).toContain('a superuser')
    expect(message).toContain('it could read every tenant')
    expect(message).toContain(
      `DATABASE_ADMIN_URL='<this owner URL>' DATABASE_URL='postgres://work_manager_runtime:<a new password>@<host>/${database.name}' npx work-manager migrate`,
    )
  })

  it.each([
    ['an owner of the tables', '', 'owns the tables'],
    ['a role that may bypass row security', 'bypassrls', 'may bypass row security'],
  ])('as %s', async (_, attribute, said) => {
    const role = `wm_test_power_${process.pid}_${attribute || 'owner'}`
    const owner = (
      await database.sql<{ owner: string }>(`select relowner::regrole::text as owner from pg_class where oid = 'wm.orders'::regclass`)
    )[0]!.owner
    await database.sql(`create role ${role} login password 'test' ${attribute}; grant wm_app, wm_system, wm_window to ${role}`)
    if (!attribute) await database.sql(`grant usage, create on schema wm to ${role}; alter table wm.orders owner to ${role}`)
    try {
      const finding = named(await inspectDatabase(database.runtimeUrl.replace(/\/\/[^@]*@/, `//${role}:test@`)), 'runtime role')
      expect(isFatal(finding)).toBe(true)
      expect(finding.detail).toContain(`'${role}' is ${said}`)
      expect(finding.fix).toContain('npx work-manager migrate')
    } finally {
      await database.sql(`alter table wm.orders owner to ${owner}; drop owned by ${role}; drop role ${role}`)
    }
  })

  it('on a database without the schema', async () => {
    const name = `${database.name}_empty`
    await database.sql(`create database ${name}`)
    try {
      const finding = named(await inspectDatabase(onDatabase(database.runtimeUrl, name)), 'schema')
      expect(isFatal(finding)).toBe(true)
      expect(finding.fix).toContain('npx work-manager migrate')
    } finally {
      await database.sql(`drop database ${name} with (force)`)
    }
  })

  it('with a migration missing, or routines of another version', async () => {
    const kept = `create table if not exists public.kept as select * from public.work_manager_migrations`
    const back = `truncate public.work_manager_migrations; insert into public.work_manager_migrations select * from public.kept`
    await whileChanged(
      `${kept}; delete from public.work_manager_migrations where name like '000001%'; update public.work_manager_migrations set hash = 'other' where name = 'routines'`,
      back,
      async () => {
        const finding = await inspect('migrations')
        expect(isFatal(finding)).toBe(true)
        expect(finding).toMatchObject({ detail: 'pending: 000001_core.sql, routines', fix: 'Run `npx work-manager migrate`.' })
      },
    )
    expect((await inspect('migrations')).ok).toBe(true)
  })

  it.each(['disable', 'no force'])('with row security switched off by hand (%s), naming the table', async (how) => {
    await whileChanged(
      `alter table wm.items ${how} row level security`,
      `alter table wm.items enable row level security, force row level security`,
      async () => {
        const finding = await inspect('row security')
        expect(isFatal(finding)).toBe(true)
        expect(finding.detail).toBe('missing on: items')
        expect(finding.fix).toContain('enable, force row level security')
      },
    )
  })

  it('when the login may not take on the runtime roles', async () => {
    const role = `wm_test_stranger_${process.pid}`
    await database.sql(`create role ${role} login password 'test'`)
    try {
      const finding = named(await inspectDatabase(database.runtimeUrl.replace(/\/\/[^@]*@/, `//${role}:test@`)), 'runtime grants')
      expect(isFatal(finding)).toBe(true)
      expect(finding.fix).toContain('npx work-manager migrate')
    } finally {
      await database.sql(`drop role ${role}`)
    }
  })

  it('when commits are not durable in this database', async () => {
    await whileChanged(
      `alter database ${database.name} set synchronous_commit = off`,
      `alter database ${database.name} reset synchronous_commit`,
      async () => {
        const finding = await inspect('durability')
        expect(isFatal(finding)).toBe(true)
        expect(finding.detail).toContain('synchronous_commit=off')
      },
    )
  })
})
