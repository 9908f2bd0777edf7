/** What `make` writes loads as it is, and its tests pass. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadOrderTypes } from '../work/order-types/load-order-types.ts'

const bin = fileURLToPath(new URL('../../bin/work-manager.mjs', import.meta.url))
const modules = fileURLToPath(new URL('../../../../node_modules', import.meta.url))
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(WORK_MANAGER_|DATABASE_|NODE_TEST)/.test(name)))
let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'wm-make-'))
  await symlink(modules, path.join(cwd, 'node_modules'), 'dir')
})
afterAll(() => rm(cwd, { recursive: true, force: true }))

const node = (...args: string[]) => promisify(execFile)(process.execPath, args, { cwd, env: environment })
const make = async (...args: string[]): Promise<string[]> =>
  (JSON.parse((await node(bin, 'make', ...args)).stdout) as { written: string[] }).written

test('a workspace names its directory in the configuration', async () => {
  expect(await make('workspace', '--with-examples', '--with-tests')).toContain('work-manager.config.json')
  expect(JSON.parse(await readFile(path.join(cwd, 'work-manager.config.json'), 'utf8'))).toEqual({
    order_types: { directories: ['./order-types'] },
  })
})

test('order types and generators load, under the names that were asked for', async () => {
  expect(await make('order-type', 'LicenceAudit', '--with-tests')).toEqual([
    'order-types/licence-audit.ts',
    'order-types/licence-audit.test.ts',
  ])
  await make('order-type', 'long_report', '--type', 'report.long', '--parts', '--with-tests')
  await make('generator', 'NightlyAudit', '--type', 'licence.audit')
  const { types, generators } = await loadOrderTypes(path.join(cwd, 'order-types'))
  expect(types.map((type) => type.type).toSorted()).toEqual(['example.type', 'licence.audit', 'report.long'])
  expect(generators.map((one) => one.name).toSorted()).toEqual(['example.generator', 'nightly.audit'])
  const [found] = await generators
    .find((one) => one.name === 'nightly.audit')!
    .generate({ tenant: 'default', now: new Date('2026-01-31T00:00:00Z'), signal: AbortSignal.timeout(1000) })
  expect(found).toMatchObject({ type: 'licence.audit', key: '2026-01-31' })
})

test('the tests that were written pass', async () => {
  const tests = (await readdir(path.join(cwd, 'order-types'))).filter((name) => name.endsWith('.test.ts'))
  expect(tests).toHaveLength(3)
  const { stdout } = await node('--test', '--test-reporter=tap', ...tests.map((name) => `order-types/${name}`))
  expect(stdout).toMatch(/# pass 6\n# fail 0/)
})

test.each([
  [['order-type', 'LicenceAudit'], 6, 'file_exists'],
  [['order-type', 'x', '--type', 'Not A Type'], 2, 'dotted lower case'],
  [['generator', '../..'], 2, 'dotted lower case'],
])('%j is refused and writes nothing', async (args, code, text) => {
  const before = await readdir(path.join(cwd, 'order-types'))
  await expect(node(bin, 'make', ...args)).rejects.toMatchObject({ code, stderr: expect.stringContaining(text) as string })
  expect(await readdir(path.join(cwd, 'order-types'))).toEqual(before)
})
