/** The first command in a fresh clone installs packages for half a minute: it says so, and how far it is. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { root } from './doc-snippets.ts'
import { until } from './test-server.ts'

let clone: string
const npm = () => path.join(clone, 'npm-cli.js')
beforeAll(async () => {
  clone = await mkdtemp(path.join(tmpdir(), 'wm-clone-'))
  const packages = Object.fromEntries(
    ['', 'a', 'b', 'c', 'd'].map((name) => [name === '' ? '' : `node_modules/${name}`, { version: '1.0.0' }]),
  )
  await writeFile(path.join(clone, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }))
  // Stands for npm: has put two packages there, and goes on when the test says so.
  await mkdir(path.join(clone, 'node_modules', 'a'), { recursive: true })
  await mkdir(path.join(clone, 'node_modules', 'b'))
  await writeFile(
    npm(),
    `const { existsSync } = require('node:fs')
     const look = setInterval(() => existsSync(${JSON.stringify(path.join(clone, 'go-on'))}) && clearInterval(look), 20)
     process.on('exit', () => { if (existsSync(${JSON.stringify(path.join(clone, 'fail'))})) { console.error('npm says no'); process.exitCode = 1 } })`,
  )
})
afterAll(() => rm(clone, { recursive: true }))

function install(): { said: () => string; ended: Promise<number | null> } {
  const code = `const { installWhatIsMissing } = await import(${JSON.stringify(pathToFileURL(path.join(root, 'scripts', 'install.mjs')).href)})
    process.exitCode = (await installWhatIsMissing(${JSON.stringify(clone)})) ? 0 : 1`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    env: { ...process.env, npm_execpath: npm(), npm_node_execpath: process.execPath },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return { said: () => said, ended: new Promise((resolve) => child.on('close', resolve)) }
}

it('says what it does, how far it is while npm is silent, and that it is done', async () => {
  const { said, ended } = install()
  await until(async () => /about 2 of 4 packages/.test(said()), 'it says how far it is', 100_000)
  await writeFile(path.join(clone, 'go-on'), '')
  expect(await ended).toBe(0)
  expect(said()).toMatch(
    /^Installing packages with npm ci \(node_modules is missing or incomplete\) \.\.\. \d+ s, about 2 of 4 packages .*done in [\d.]+ s\n$/,
  )
})

it('shows what npm said when it could not, and what to do', async () => {
  await writeFile(path.join(clone, 'fail'), '')
  const { said, ended } = install()
  expect(await ended).toBe(1)
  expect(said()).toMatch(/failed after [\d.]+ s\n\nnpm says no\n\n.*npm ping.*\n$/s)
})
