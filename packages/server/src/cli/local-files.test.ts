import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { announceServer, demoKeysFile, readIfThere, readPrivate, readServerAddress, writePrivately } from './local-files.ts'
import { readDemoKeys } from './local-keys.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'wm-local-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test.skipIf(process.platform === 'win32')('a private file is readable by its owner only, and nothing unfinished stays behind', async () => {
  const file = path.join(directory, 'deep', 'reviewer.key')
  await writePrivately(file, 'wm_p_x\n')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700)
  expect(await readdir(path.dirname(file))).toEqual(['reviewer.key'])
})

test.skipIf(process.platform === 'win32').each([0o644, 0o640, 0o620, 0o602])(
  'a key file that others can reach (%o) is refused',
  async (mode) => {
    const file = path.join(directory, 'reviewer.key')
    await writePrivately(file, 'wm_p_x\n')
    expect(await readPrivate(file)).toBe('wm_p_x\n')
    await chmod(file, mode)
    await expect(readPrivate(file)).rejects.toMatchObject({ code: 'key_file_open', fix: expect.stringContaining(`chmod 600 '${file}'`) })
  },
)

test('an absent file is no failure', async () => {
  expect(await readIfThere(path.join(directory, 'nothing'))).toBeUndefined()
})

test('a server announces where it listens, and takes it back', async () => {
  const withdraw = await announceServer(directory, 'http://127.0.0.1:9000')
  expect(await readServerAddress(directory)).toBe('http://127.0.0.1:9000')
  await withdraw()
  expect(await readServerAddress(directory)).toBeUndefined()
})

test('an earlier server does not take back the address of a later one', async () => {
  const withdraw = await announceServer(directory, 'http://127.0.0.1:9000')
  await announceServer(directory, 'http://127.0.0.1:9001')
  await withdraw()
  expect(await readServerAddress(directory)).toBe('http://127.0.0.1:9001')
})

test('a damaged address file counts as absent', async () => {
  await writeFile(path.join(directory, 'server-url'), 'garbage')
  expect(await readServerAddress(directory)).toBeUndefined()
})

test.each(['', '{"agents":["a"]}', '{"agents":["a","b"],"reviewer":"r","proposer":"p"}', 'null', '[]'])(
  'demo keys that are not whole (%j) count as absent',
  async (text) => {
    await writeFile(demoKeysFile(directory), text, { mode: 0o600 })
    expect(await readDemoKeys(directory)).toBeUndefined()
  },
)
