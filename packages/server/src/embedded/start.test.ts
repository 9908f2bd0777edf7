import { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { query, socketDirectoryOf, start, temporaryDirectory, usedDirectory } from './fixtures/rig.ts'
import { postgresProcesses } from './processes.ts'
import { migrate } from '../kernel/store/migrate.ts'
import { startEmbeddedPostgres } from './index.ts'

describe('a first start', () => {
  test('takes nothing of the shell that is meant for other servers', async () => {
    const shell = {
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: '/nonexistent',
      PGSSLNEGOTIATION: 'direct',
      PGOPTIONS: '-c default_transaction_read_only=on',
      PGREPLICATION: 'database',
      PGCLIENT_ENCODING: 'latin1',
      PGHOST: 'elsewhere.example',
      PGPORT: '1',
      PGUSER: 'somebody',
      PGPASSWORD: 'theirs',
      PGDATABASE: 'theirs',
      PGDATA: '/nonexistent',
    }
    for (const [name, value] of Object.entries(shell)) vi.stubEnv(name, value)
    try {
      const database = await start(await temporaryDirectory())
      await migrate({ adminUrl: database.adminUrl, runtimeUrl: database.runtimeUrl })
      expect(await query(database.runtimeUrl, `select current_setting('default_transaction_read_only') as read_only, 'ä' as text`)).toEqual(
        [{ read_only: 'off', text: 'ä' }],
      )
      await database.stop()
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('makes a database that a powerless role serves and an owner migrates, durable and private', async () => {
    const directory = await temporaryDirectory()
    const database = await start(directory)
    const [role] = await query<{ me: string; powerful: boolean }>(
      database.runtimeUrl,
      'select current_user as me, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb as powerful from pg_roles where rolname = current_user',
    )
    expect(role).toEqual({ me: 'work_manager_runtime', powerful: false })
    await expect(query(database.runtimeUrl, 'create table public.mine (n int)')).rejects.toMatchObject({ code: '42501' })
    await query(database.adminUrl, 'create table theirs (n int)')
    const settings = await query<{ name: string; setting: string }>(
      database.runtimeUrl,
      "select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums', 'listen_addresses') order by name",
    )
    expect(settings.map(({ name, setting }) => `${name}=${setting}`)).toEqual([
      'data_checksums=on',
      'fsync=on',
      'full_page_writes=on',
      'listen_addresses=',
      'synchronous_commit=on',
    ])
    expect((await stat(join(directory, 'credentials.json'))).mode & 0o777).toBe(0o600)
    expect((await stat(directory)).mode & 0o777).toBe(0o700)
    expect((await stat(database.dataDir)).mode & 0o777).toBe(0o700)
    expect(database.storageState()).toBe('ok')
  })

  test('keeps its data for the next start and leaves nothing running or lying about in between', async () => {
    const directory = await temporaryDirectory()
    const first = await start(directory)
    await query(first.adminUrl, 'create table kept as select 42 as n')
    await Promise.all([first.stop(), first.stop()])
    expect(await postgresProcesses(first.dataDir)).toEqual([])
    await expect(stat(socketDirectoryOf(first.adminUrl))).rejects.toMatchObject({ code: 'ENOENT' })
    const second = await start(directory)
    expect(await query(second.adminUrl, 'select n from kept')).toEqual([{ n: 42 }])
  })

  test('works in a deep directory with spaces, quotes and Unicode, through a symbolic link', async () => {
    const real = await temporaryDirectory(`Ordner mit 'Größe' 目录 ${'tief '.repeat(20)}`)
    await mkdir(real, { recursive: true })
    const link = join(dirname(real), 'link')
    await symlink(real, link)
    const database = await start(link)
    expect(await query(database.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])
  })
})

describe('a directory that is not simply ours', () => {
  test('foreign: refused, nothing touched', async () => {
    const directory = await temporaryDirectory()
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'thesis.docx'), 'years of work')
    await expect(startEmbeddedPostgres({ directory })).rejects.toMatchObject({
      code: 'foreign_directory',
      message: expect.stringContaining('thesis.docx'),
    })
    expect(await readdir(directory)).toEqual(['thesis.docx'])
  })

  test('a file: refused', async () => {
    const directory = await temporaryDirectory()
    await writeFile(directory, '')
    await expect(startEmbeddedPostgres({ directory })).rejects.toMatchObject({ code: 'not_a_directory' })
  })

  test('unfinished first start: moved aside, started over, nothing deleted', async () => {
    const directory = await usedDirectory()
    await rm(join(directory, 'postgres', 'PG_VERSION'))
    await mkdir(join(directory, 'initialising-abcd'))
    await writeFile(join(directory, 'initialising-abcd', 'half'), 'half a cluster')
    const database = await start(directory)
    expect(await query(database.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])
    const aside = (await readdir(directory)).filter((name) => name.startsWith('postgres.partial-'))
    expect(aside).toHaveLength(2)
    const contents = await Promise.all(aside.map((name) => readdir(join(directory, name))))
    expect(contents.flat()).toEqual(expect.arrayContaining(['half', 'base', 'global']))
  })

  test('data of another major version: refused with both versions, nothing touched', async () => {
    const directory = await usedDirectory()
    await writeFile(join(directory, 'postgres', 'PG_VERSION'), '12\n')
    await expect(startEmbeddedPostgres({ directory })).rejects.toMatchObject({
      code: 'wrong_version',
      message: expect.stringMatching(/PostgreSQL 12;.*PostgreSQL \d\d\./),
    })
    expect(await readFile(join(directory, 'postgres', 'PG_VERSION'), 'utf8')).toBe('12\n')
  })

  test('its passwords lost: new ones are made and the cluster learns them', async () => {
    const directory = await usedDirectory()
    const first = await start(directory)
    await query(first.adminUrl, 'create table kept as select 42 as n')
    await first.stop()
    await rm(join(directory, 'credentials.json'))
    const second = await start(directory)
    expect(second.adminUrl).not.toBe(first.adminUrl)
    expect(await query(second.adminUrl, 'select n from kept')).toEqual([{ n: 42 }])
  })

  test('a cluster whose settings were made unsafe: refused, and what is unsafe is said', async () => {
    const directory = await usedDirectory()
    const first = await start(directory)
    await query(first.adminUrl, 'alter role work_manager_runtime set synchronous_commit = off')
    await first.stop()
    await expect(startEmbeddedPostgres({ directory })).rejects.toMatchObject({
      code: 'unsafe_settings',
      message: expect.stringContaining('synchronous_commit is off'),
    })
    expect(await postgresProcesses(first.dataDir)).toEqual([])
  })

  test("a damaged cluster: the server's own last words are quoted", async () => {
    const directory = await usedDirectory()
    const first = await start(directory)
    await first.stop()
    await rm(join(first.dataDir, 'global', 'pg_control'))
    await expect(startEmbeddedPostgres({ directory })).rejects.toMatchObject({
      code: 'postgres_failed',
      message: expect.stringContaining('pg_control'),
    })
  })
})

test('a directory open to everybody is closed', async () => {
  const directory = await temporaryDirectory()
  await mkdir(directory, { recursive: true })
  await chmod(directory, 0o777)
  await start(directory)
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
})

// Only root can give a child another account; elsewhere there is nothing to say.
if (process.getuid?.() === 0) {
  describe('root', () => {
    test('runs the server as an account without power, even where that account cannot walk', async () => {
      const directory = await temporaryDirectory() // its parent is 0700 and root's
      const database = await start(directory)
      const status = await readFile(`/proc/${database.pid}/status`, 'utf8')
      expect(status).toMatch(/^Uid:\s+(?!0\s)\d+/m)
      expect(status).toMatch(/^Groups:\s*$/m)
      expect((await stat(directory)).uid).toBe(0)
      await expect(query(database.adminUrl, `select pg_read_file('${directory}/credentials.json')`)).rejects.toMatchObject({
        code: '42501',
      })
    })

    test("in somebody else's directory leaves files that they can start themselves", async () => {
      const directory = await temporaryDirectory()
      await mkdir(directory, { recursive: true })
      await chown(directory, 1, 1) // daemon: has a name on every system
      const database = await start(directory)
      await database.stop()
      const owners = await Promise.all((await readdir(directory)).map(async (name) => (await stat(join(directory, name))).uid))
      expect(new Set(owners)).toEqual(new Set([1]))
    })

    test('hands a cluster that was put back from a copy to the account that runs it', async () => {
      const directory = await usedDirectory()
      const first = await start(directory)
      await first.stop()
      const entries = await readdir(first.dataDir, { recursive: true })
      for (const path of [first.dataDir, ...entries.map((entry) => join(first.dataDir, entry))]) await chown(path, 0, 0)
      const second = await start(directory)
      expect(await query(second.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])
    })
  })
}
