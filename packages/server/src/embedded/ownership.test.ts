import { expect, test } from 'vitest'
import { query, spawnOwner, start, temporaryDirectory, usedDirectory } from './fixtures/rig.ts'
import { startEmbeddedPostgres } from './index.ts'
import { postgresProcesses } from './processes.ts'

test('a second start on the directory is refused and names the process that has it', async () => {
  const directory = await usedDirectory()
  const owner = spawnOwner(directory)
  const { adminUrl } = await owner.first
  await expect(startEmbeddedPostgres({ directory })).rejects.toMatchObject({
    code: 'already_running',
    message: expect.stringContaining(`process ${owner.child.pid}, started 20`),
    fix: expect.stringContaining(`kill ${owner.child.pid}`),
  })
  expect(await query(adminUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('a second start in the same process is refused too', async () => {
  const directory = await usedDirectory()
  const database = await start(directory)
  await expect(startEmbeddedPostgres({ directory })).rejects.toMatchObject({ code: 'already_running' })
  expect(await query(database.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('of eight simultaneous first starts one owns the directory and seven are refused', async () => {
  const directory = await temporaryDirectory()
  const owners = Array.from({ length: 8 }, () => spawnOwner(directory))
  const lines = await Promise.all(owners.map((owner) => owner.first))
  expect(lines.flatMap((line) => line.refused ?? [])).toEqual(Array.from({ length: 7 }, () => 'already_running'))
  const [winner] = lines.filter((line) => line.adminUrl)
  expect(await query(winner?.adminUrl ?? '', 'select 1 as one')).toEqual([{ one: 1 }])
})

test('after a proper stop the directory is free and nothing of it runs', async () => {
  const directory = await usedDirectory()
  const owner = spawnOwner(directory)
  await owner.first
  owner.child.kill('SIGTERM')
  expect(await owner.exited).toBe(0)
  const database = await start(directory)
  expect(await postgresProcesses(database.dataDir)).not.toEqual([])
})

test('a start looks only at the PostgreSQL of its own directory', async () => {
  const neighbour = await start(await usedDirectory())
  const mine = await start(await usedDirectory())
  const [running, others] = await Promise.all([postgresProcesses(mine.dataDir), postgresProcesses(neighbour.dataDir)])
  expect(running.map(({ pid }) => pid)).toContain(mine.pid)
  expect(running.map(({ pid }) => pid)).not.toContain(neighbour.pid)
  expect(others.map(({ pid }) => pid)).toContain(neighbour.pid)
  expect(await query(neighbour.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})
