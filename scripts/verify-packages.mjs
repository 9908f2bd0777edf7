/**
 * Tries the packages in dist/ as a stranger meets them: packed, looked at by publint and attw, installed in an empty folder outside the
 * repository, imported, compiled against, and the command line started there until its server is ready and stopped again.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A server that is not ready, or does not stop, within this time is broken. */
const serverMs = 120_000
const ours = /^(WORK_MANAGER_|DATABASE_|REDIS_|QUEUE_|PG|NODE_OPTIONS$|NODE_ENV$)/

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))

/** Runs a program to its end and returns what it printed; throws with everything that it printed when it fails. */
export function run(file, args, cwd, env = process.env) {
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, env, encoding: 'utf8', shell: process.platform === 'win32' })
  if (status === 0) return stdout
  throw new Error(`"${[path.basename(file), ...args].join(' ')}" failed in ${cwd}:\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`)
}

const consumer = `
import type { OrderState } from '@work-manager/contract'
import { createClient } from '@work-manager/sdk'
import { createWorkManager } from '@work-manager/server'
import { defineOrderType } from '@work-manager/server/order-type'
import { testOrderType } from '@work-manager/server/testing'
import Type from 'typebox'

export const greeting = defineOrderType({
  type: 'example.greeting',
  payload: Type.Object({ name: Type.String() }),
  result: Type.Object({ text: Type.String() }),
  plan: ({ payload }) => [{ input: payload }],
  apply: async ({ items, diff }) => diff({}, { text: items[0]?.result.text ?? '' }, 'greeted'),
})
export const waiting: OrderState = 'submitted'
export const client = createClient({ url: 'http://127.0.0.1:7420', key: '' })
export const kit = testOrderType(greeting)
export const manager = (): ReturnType<typeof createWorkManager> => createWorkManager({ orderTypes: [greeting] })
`

/** Imports every entry of the package and prints how many names it has. */
function importEverything(name, manifest, folder) {
  for (const [entry, target] of Object.entries(manifest.exports)) {
    if (typeof target !== 'object') continue
    const specifier = path.posix.join(manifest.name, entry)
    const names = run(process.execPath, ['-e', `import('${specifier}').then((m) => console.log(Object.keys(m).length))`], folder)
    if (Number(names) === 0)
      throw new Error(`import('${specifier}') gives nothing; packages/${name}/package.json, "exports", says it should.`)
    console.log(`import('${specifier}') gives ${names.trim()} names`)
  }
}

/** Starts `work-manager serve` from the installed package and resolves once it answered, was stopped and ended well. */
async function serveOnce(folder, env) {
  const cli = path.join(folder, 'node_modules', '@work-manager', 'server', 'bin', 'work-manager.mjs')
  const child = spawn(process.execPath, [cli, 'serve', '--port', '0'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)))
  const address = new Promise((resolve) => {
    const read = (chunk) => {
      printed += chunk
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(printed)
      if (found) resolve(found[0])
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
  })
  const limit = setTimeout(() => child.kill('SIGKILL'), serverMs)
  try {
    const url = await Promise.race([address, ended.then(() => undefined)])
    if (url === undefined) throw new Error('it ended before it was ready')
    for (const page of ['/readyz', '/docs']) {
      const { status } = await fetch(url + page)
      if (status !== 200) throw new Error(`${page} answered ${status}`)
    }
    run(process.execPath, [cli, 'orders', '--url', url], folder, env)
    child.kill('SIGTERM')
    const ending = await ended
    if (ending !== 0) throw new Error(`after SIGTERM it ended with ${ending}`)
  } catch (error) {
    child.kill('SIGKILL')
    throw new Error(`"work-manager serve", installed from the packed package: ${error.message}\n${printed}`, { cause: error })
  } finally {
    clearTimeout(limit)
  }
}

export async function verifyPackages(root, packages) {
  const dist = path.join(root, 'dist')
  const tool = (name) => path.join(root, 'node_modules', name)
  const folder = mkdtempSync(path.join(tmpdir(), 'work-manager-verify-'))
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))
  try {
    const archives = packages.map((name) => {
      const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], path.join(dist, name)))
      return `./${filename}`
    })
    for (const archive of archives) {
      run(process.execPath, [tool('publint/src/cli.js'), 'run', archive, '--strict'], folder)
      // The packages are ES modules only: what require() of old bundlers makes of them is no finding.
      run(process.execPath, [tool('@arethetypeswrong/cli/dist/index.js'), archive, '--profile', 'esm-only'], folder)
    }
    console.log(`publint and attw find nothing in ${archives.length} packages`)

    writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }))
    run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', ...archives], folder)
    for (const name of packages) importEverything(name, readJson(path.join(dist, name, 'package.json')), folder)

    // Everything is checked, our declarations too, with no types at hand but those that the packages bring and Node's own.
    const compilerOptions = {
      ...{ target: 'ES2024', module: 'NodeNext', strict: true, declaration: true, noEmit: true, skipLibCheck: false },
      ...{ types: ['node'], typeRoots: [path.join(root, 'node_modules', '@types')] },
    }
    writeFileSync(path.join(folder, 'consumer.ts'), consumer)
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
    run(process.execPath, [tool('@typescript/native/bin/tsc'), '-p', folder], folder)
    console.log('a program outside compiles against their types')

    await serveOnce(folder, env)
    console.log('work-manager serve starts outside, answers, and stops when asked')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
