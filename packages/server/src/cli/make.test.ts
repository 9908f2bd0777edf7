/** What `make` writes loads as it is, and its tests pass. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const bin = fileURLToPath(new URL('../../bin/work-manager.mjs', import.meta.url))
const compiler = fileURLToPath(new URL('../../../../node_modules/@typescript/native/bin/tsc', import.meta.url))
const loader = new URL('../work/order-types/load-order-types.ts', import.meta.url).href
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(WORK_MANAGER_|DATABASE_|NODE_TEST)/.test(name)))
let cwd: string
beforeAll(async () => {
  // Far from the repository and with nothing installed, as a newcomer's directory is.
  cwd = await mkdtemp(path.join(tmpdir(), 'wm-make-'))
})
afterAll(() => rm(cwd, { recursive: true, force: true }))

const node = (...args: string[]) => promisify(execFile)(process.execPath, args, { cwd, env: environment })
const make = async (...args: string[]): Promise<string[]> =>
  (JSON.parse((await node(bin, 'make', ...args)).stdout) as { written: string[] }).written

test('a workspace names its directory in the configuration, and is a project', async () => {
  const written = await make('workspace', '--with-examples', '--with-tests')
  for (const file of ['work-manager.config.json', 'package.json', 'tsconfig.json', 'README.md']) expect(written).toContain(file)
  expect(JSON.parse(await readFile(path.join(cwd, 'package.json'), 'utf8'))).toMatchObject({ type: 'module', private: true })
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
  const load = `import { loadOrderTypes } from '${loader}'
    const { types, generators } = await loadOrderTypes('order-types')
    const nightly = generators.find((one) => one.name === 'nightly.audit')
    const found = await nightly.generate({ tenant: 'default', now: new Date('2026-01-31T00:00:00Z'), signal: AbortSignal.timeout(1000) })
    console.log(JSON.stringify({ types: types.map((one) => one.type), generators: generators.map((one) => one.name), found }))`
  const { stdout } = await node('--input-type=module', '-e', load)
  expect(JSON.parse(stdout)).toEqual({
    types: ['example.type', 'licence.audit', 'report.long'],
    generators: ['example.generator', 'nightly.audit'],
    found: [expect.objectContaining({ type: 'licence.audit', key: '2026-01-31' })],
  })
})

test('types written with TypeBox and with Zod compile there, as the editor sees them', async () => {
  const head = `import { defineOrderType } from '@work-manager/server/order-type'\n`
  const rest = (schema: string) =>
    `export default defineOrderType({ type: 'a.b', payload: ${schema}, result: ${schema}, apply: ({ items, diff }) => diff({}, { text: items[0]!.result.text.trim() }) })\n`
  await writeFile(
    path.join(cwd, 'order-types', '_typebox.ts'),
    `${head}import Type from 'typebox'\n${rest('Type.Object({ text: Type.String() })')}`,
  )
  await writeFile(path.join(cwd, 'order-types', '_zod.ts'), `${head}import { z } from 'zod'\n${rest('z.object({ text: z.string() })')}`)
  const { stdout } = await node(compiler, '-p', '.').catch((failed: { stdout: string }) => failed)
  expect(stdout).toBe('')
})

test('the tests that were written pass', async () => {
  const tests = (await readdir(path.join(cwd, 'order-types'))).filter((name) => name.endsWith('.test.ts'))
  expect(tests).toHaveLength(3)
  const { stdout } = await node(bin, 'test')
  expect(stdout).toMatch(/pass 6\n\S* ?fail 0/)
  await writeFile(
    path.join(cwd, 'order-types', 'wrong.test.ts'),
    `import { test } from 'node:test'\ntest('no', () => { throw new Error('no') })\n`,
  )
  await expect(node(bin, 'test', 'order-types/wrong.test.ts')).rejects.toMatchObject({ code: 5 })
})

test('what is there already stays', async () => {
  const elsewhere = await mkdtemp(path.join(tmpdir(), 'wm-make-'))
  await writeFile(path.join(elsewhere, 'package.json'), '{"name":"mine"}')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [bin, 'make', 'workspace'], { cwd: elsewhere, env: environment })
  expect((JSON.parse(stdout) as { written: string[] }).written).not.toContain('package.json')
  expect(stderr).toContain('package.json is there already')
  expect(await readFile(path.join(elsewhere, 'package.json'), 'utf8')).toBe('{"name":"mine"}')
  await rm(path.join(elsewhere, 'tsconfig.json'))
  const again = await promisify(execFile)(process.execPath, [bin, 'make', 'workspace'], { cwd: elsewhere, env: environment })
  expect(JSON.parse(again.stdout)).toEqual({ written: ['tsconfig.json'] })
  await rm(elsewhere, { recursive: true })
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
