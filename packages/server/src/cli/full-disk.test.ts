/** Output that cannot be written: commands say so in a sentence and end; a server says so and goes on. */
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cleanEnvironment, cliProgram } from '../../testing/run-cli.ts'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'
import { until } from '../../testing/test-server.ts'

describe.runIf(process.platform === 'linux')('with a full disk under stdout', () => {
  let cwd: string
  let database: TestDatabase
  beforeAll(async () => {
    cwd = await mkdtemp(path.join(tmpdir(), 'wm-full-'))
    database = await createTestDatabase()
  })
  afterAll(async () => {
    await database.drop()
    await rm(cwd, { recursive: true, force: true })
  })

  function begin(
    args: readonly string[],
    env: Record<string, string> = {},
  ): { child: ChildProcess; said: () => string; ended: Promise<number | null> } {
    const child = spawn(process.execPath, [cliProgram, ...args], {
      cwd,
      env: { ...cleanEnvironment, DATABASE_URL: database.runtimeUrl, DATABASE_ADMIN_URL: database.adminUrl, ...env },
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    })
    let said = ''
    child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()))
    return { child, said: () => said, ended: new Promise((resolve) => child.on('close', resolve)) }
  }

  const sentence = 'The output cannot be written: no space is left (ENOSPC).'
  it.each([
    ['--version'],
    ['completion bash'],
    ['config check'],
    ['migrate'],
    ['doctor'],
    ['keys list'],
    ['tenants list'],
    ['make order-type full'],
    ['start --port 0'],
  ])('%s says it in one sentence', async (words) => {
    const { said, ended } = begin(words.split(' '))
    expect(await ended).toBe(8)
    const last = said().slice(said().indexOf('error['))
    expect(last).toBe(`error[file_unusable]: ${sentence}\n  fix: Make room there, then run the command again.\n`)
  })

  it('a program that asked for JSON hears it as JSON', async () => {
    const { said, ended } = begin(['--json', 'config', 'check'])
    expect(await ended).toBe(8)
    expect(JSON.parse(said())).toMatchObject({ code: 'file_unusable', detail: sentence })
  })

  it.each([['serve'], ['serve --workers 2']])('%s goes on without its log, and says so once for each process', async (words) => {
    const { child, said, ended } = begin([...words.split(' '), '--port', '0'], {
      // A database of its own is what a new server logs about.
      ...{ DATABASE_URL: '', DATABASE_ADMIN_URL: '', WORK_MANAGER_DATA_DIR: words.replaceAll(' ', '') },
    })
    const url = await until(async () => /ready at (\S+)/.exec(said())?.[1], `it is ready: ${said()}`, 100_000)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    child.kill('SIGTERM')
    expect(await ended, said()).toBe(0)
    const told = said().split('The log cannot be written (ENOSPC): the server goes on').length - 1
    expect(told).toBeGreaterThan(0)
    expect(told).toBeLessThanOrEqual(words.includes('workers') ? 3 : 1)
  })
})
