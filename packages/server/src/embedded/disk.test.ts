import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { query, start, temporaryDirectory, until, usedDirectory } from './fixtures/rig.ts'
import { pauseBeforeCheck, storageStateFor } from './disk-guard.ts'
import { startEmbeddedPostgres } from './index.ts'
import { postgresProcesses } from './processes.ts'

const MiB = 1024 * 1024
const PLENTY = 1024 * 1024 * MiB

test('the states follow what is free', () => {
  const small = 10 * 1024 * MiB
  expect(storageStateFor(512 * MiB, small)).toBe('ok')
  expect(storageStateFor(511 * MiB, small)).toBe('low')
  expect(storageStateFor(256 * MiB, small)).toBe('low')
  expect(storageStateFor(255 * MiB, small)).toBe('read_only')
  expect(storageStateFor(600 * MiB, 100 * 1024 * MiB)).toBe('low') // less than 5 % of a large disk
})

test('the fuller the disk, the sooner it is looked at again', () => {
  expect(pauseBeforeCheck(PLENTY, 5000)).toBe(5000)
  expect(pauseBeforeCheck((1024 + 64) * MiB, 5000)).toBe(1000)
  expect(pauseBeforeCheck(64 * MiB, 5000)).toBe(20)
  expect(pauseBeforeCheck(PLENTY, 20)).toBe(20)
})

test('a disk that fills warns, then reads only, gives up its ballast, stops the server cleanly, and comes back by itself', async () => {
  let free = PLENTY
  const seen: string[] = []
  const directory = await usedDirectory()
  const database = await start(directory, { freeBytes: async () => free, checkEveryMs: 20 })
  database.onStorage((state, freeBytes) => seen.push(`${state} ${freeBytes / MiB}`))
  await query(database.adminUrl, 'create table kept as select 42 as n')
  await until('the ballast', async () => (await stat(join(directory, 'ballast')).catch(() => undefined))?.size === 64 * MiB)

  free = 300 * MiB
  await until('low', () => database.storageState() === 'low')
  free = 200 * MiB
  await until('read only', () => database.storageState() === 'read_only')
  expect(await query(database.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])

  const before = database.pid
  free = 10 * MiB
  await until('a stopped server', async () => (await postgresProcesses(database.dataDir)).length === 0)
  expect(await readdir(directory)).not.toContain('ballast')
  expect(database.storageState()).toBe('read_only')

  free = PLENTY
  await until('a new server', () => database.pid !== before)
  await until('ok', () => database.storageState() === 'ok')
  expect(await query(database.adminUrl, 'select n from kept')).toEqual([{ n: 42 }])
  expect(seen).toEqual(['low 300', 'read_only 200', `ok ${PLENTY / MiB}`])
})

test('the ballast alone can be enough: the server goes on', async () => {
  const directory = await usedDirectory()
  let free = PLENTY
  const database = await start(directory, {
    checkEveryMs: 20,
    freeBytes: async () => ((await readdir(directory)).includes('ballast') ? free : free + 64 * MiB),
  })
  await until('the ballast', async () => (await stat(join(directory, 'ballast')).catch(() => undefined))?.size === 64 * MiB)
  const before = database.pid
  free = 60 * MiB
  await until('read only', () => database.storageState() === 'read_only')
  expect(await readdir(directory)).not.toContain('ballast')
  expect(await query(database.runtimeUrl, 'select 1 as one')).toEqual([{ one: 1 }])
  expect(database.pid).toBe(before)
})

test('a start on a full disk is refused and says how much is missing', async () => {
  const directory = await temporaryDirectory()
  await expect(startEmbeddedPostgres({ directory, freeBytes: async () => 10 * MiB })).rejects.toMatchObject({
    code: 'disk_full',
    message: expect.stringContaining('10 MiB'),
  })
})

test('stop works while the server waits for space', async () => {
  let free = PLENTY
  const database = await start(await usedDirectory(), { freeBytes: async () => free, checkEveryMs: 20 })
  free = 0
  await until('a stopped server', async () => (await postgresProcesses(database.dataDir)).length === 0)
  await database.stop()
})
