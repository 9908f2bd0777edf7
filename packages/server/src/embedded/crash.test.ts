import { execFileSync, spawn } from 'node:child_process'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isRunning, query, socketDirectoryOf, spawnOwner, start, temporaryDirectory, until, usedDirectory } from './fixtures/rig.ts'
import { postgresProcesses } from './processes.ts'

describe('kill -9 of the owner', () => {
  test('loses no acknowledged row, and its server is stopped without anybody asking', async () => {
    const directory = await usedDirectory()
    const owner = spawnOwner(directory, 'insert')
    await owner.first
    await until('200 rows acknowledged', () => owner.lines.length >= 200)
    owner.child.kill('SIGKILL')
    await owner.exited
    await until('no orphan', async () => (await postgresProcesses(join(directory, 'postgres'))).length === 0)
    const acknowledged = owner.lines.map(Number)
    const database = await start(directory)
    const rows = await query<{ n: number }>(database.adminUrl, 'select n from acknowledged order by n')
    expect(rows.map((row) => row.n)).toEqual(expect.arrayContaining(acknowledged))
    expect(acknowledged.length).toBeGreaterThanOrEqual(200)
  })

  test('at once followed by a start: the new server is the only one, with every acknowledged row', async () => {
    const directory = await usedDirectory()
    const owner = spawnOwner(directory, 'insert')
    const { pid } = await owner.first
    await until('100 rows acknowledged', () => owner.lines.length >= 100)
    owner.child.kill('SIGKILL')
    await owner.exited
    const database = await start(directory)
    expect(await isRunning(pid)).toBe(false)
    const [count] = await query<{ n: string }>(database.adminUrl, 'select count(*) as n from acknowledged')
    expect(Number(count?.n)).toBeGreaterThanOrEqual(owner.lines.length)
  })

  test('together with its watchdog: the next start finds the orphan and stops it', async () => {
    const directory = await usedDirectory()
    const owner = spawnOwner(directory)
    const { pid, adminUrl } = await owner.first
    for (const watchdog of childrenOf(owner.child.pid ?? 0, 'watchdog')) process.kill(watchdog, 'SIGKILL')
    owner.child.kill('SIGKILL') // in the same breath, so that no new watchdog can be started
    await owner.exited
    const said: string[] = []
    const database = await start(directory, { log: (line) => said.push(line) })
    expect(await isRunning(pid)).toBe(false)
    expect(said.join('\n')).toContain('left over from an earlier run')
    await expect(stat(socketDirectoryOf(adminUrl))).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await query(database.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test('during the first start: the next start succeeds', async () => {
    const directory = await temporaryDirectory()
    const owner = spawnOwner(directory)
    await until('initdb at work', () => childrenOf(owner.child.pid ?? 0, 'initdb').length > 0)
    owner.child.kill('SIGKILL')
    await owner.exited
    const database = await start(directory)
    expect(await query(database.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])
  })
})

describe('a pid file from before', () => {
  const strangers: [string, () => Promise<number | string>][] = [
    ['that names init', async () => 1],
    ['that names this very process', async () => process.pid],
    [
      'that names a sleeping stranger',
      async () => {
        const child = spawn('sleep', ['60'], { stdio: 'ignore' })
        child.unref()
        return child.pid ?? 0
      },
    ],
    ['that names nobody', async () => 4_190_000],
    ['that is empty', async () => ''],
    ['that is garbage', async () => 'not a number'],
  ]
  for (const [what, stranger] of strangers) {
    test(`${what} does not keep the database from starting`, async () => {
      const directory = await usedDirectory()
      const dataDir = join(directory, 'postgres')
      const named = await stranger()
      await writeFile(
        join(dataDir, 'postmaster.pid'),
        named === '' ? '' : `${named}\n${dataDir}\n1700000000\n5432\n/tmp\n\n  1234567  1\nready\n`,
      )
      const database = await start(directory)
      expect(await query(database.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])
      if (what.includes('sleeping')) {
        expect(await isRunning(Number(named))).toBe(true)
        process.kill(Number(named), 'SIGKILL')
      }
    })
  }
})

describe('kill -9 of the server', () => {
  test('it is started again by itself under the same address, with every row', async () => {
    const database = await start(await usedDirectory())
    await query(database.adminUrl, 'create table kept as select 42 as n')
    const before = database.pid
    process.kill(before, 'SIGKILL')
    await until('a new server', () => database.pid !== before)
    expect(await query(database.adminUrl, 'select n from kept')).toEqual([{ n: 42 }])
  })

  test('a killed connection alone does not cost the others more than a reconnect', async () => {
    const database = await start(await usedDirectory())
    const before = database.pid
    const [backend] = await query<{ pid: number }>(
      database.adminUrl,
      "select pid from pg_stat_activity where backend_type = 'checkpointer'",
    )
    process.kill(backend?.pid ?? 0, 'SIGKILL')
    await until('the server answers again', () =>
      query(database.runtimeUrl, 'select 1').then(
        () => true,
        () => false,
      ),
    )
    expect(database.pid).toBe(before)
  })

  test('a server that keeps dying is given up after the fifth time, with the reason, and everything is released', async () => {
    const directory = await usedDirectory()
    const database = await start(directory)
    const failed = new Promise<string>((settle) => database.onExit(settle))
    for (let crash = 1; crash <= 5; crash++) {
      const { pid } = database
      process.kill(pid, 'SIGKILL')
      if (crash < 5) await until(`restart ${crash}`, () => database.pid !== pid)
    }
    expect(await failed).toMatch(/killed by SIGKILL.*5 times/s)
    expect(await postgresProcesses(database.dataDir)).toEqual([])
    await database.stop()
    const next = await start(directory)
    expect(await query(next.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test('stop during a restart leaves nothing running', async () => {
    const database = await start(await usedDirectory())
    process.kill(database.pid, 'SIGKILL')
    await database.stop()
    expect(await postgresProcesses(database.dataDir)).toEqual([])
  })
})

test('an immediate stop cuts a fast stop short and still loses nothing', async () => {
  const directory = await usedDirectory()
  const database = await start(directory)
  await query(database.adminUrl, 'create table kept as select generate_series(1, 1000) as n')
  await Promise.all([database.stop('fast'), database.stop('immediate')])
  expect(await postgresProcesses(database.dataDir)).toEqual([])
  const again = await start(directory)
  expect(await query(again.adminUrl, 'select count(*)::int as n from kept')).toEqual([{ n: 1000 }])
})

function childrenOf(parent: number, named: string): number[] {
  return execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((found) => found !== null && Number(found[2]) === parent && (found[3] ?? '').includes(named))
    .map((found) => Number(found?.[1]))
}
