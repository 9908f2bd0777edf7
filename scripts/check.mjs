/**
 * `npm run check`: everything that can be said about the code without running it. One line per step; a failing step shows its output.
 * `npm run check -- lint format` runs only the steps named.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Step name → what Node runs. The slow ones stand first, so that the quick ones fill the gaps. */
const steps = {
  'dead code': ['node_modules/knip/bin/knip.js', '--no-progress', '--no-config-hints'],
  imports: ['scripts/import-direction.mjs'],
  types: ['node_modules/@typescript/native/bin/tsc', '-p', 'tsconfig.json'],
  lint: ['node_modules/oxlint/bin/oxlint', '--type-aware', '--report-unused-disable-directives', '--deny-warnings'],
  generated: ['scripts/generate.ts', '--check'],
  format: ['node_modules/oxfmt/bin/oxfmt', '--check'],
  text: ['scripts/forbidden-text.mjs'],
}

async function runStep(name) {
  const [script, ...args] = steps[name]
  const started = Date.now()
  const { code, output } = existsSync(path.join(root, script))
    ? await run([path.join(root, script), ...args])
    : { code: 1, output: `${script} does not exist, so nothing was checked.\n` }
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${name.padEnd(10)} ${seconds.padStart(5)} s`)
  if (code !== 0) console.log(`${output.trimEnd()}\n`)
  return code === 0
}

function run(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => resolve({ code: 1, output: `${output}${error.message}\n` }))
    child.on('close', (status, signal) =>
      resolve({ code: status ?? 1, output: signal === null ? output : `${output}ended by ${signal}\n` }),
    )
  })
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !Object.hasOwn(steps, name))
if (unknown.length > 0) {
  console.error(`There is no step ${unknown.map((name) => `"${name}"`).join(', ')}; the steps are: ${Object.keys(steps).join(', ')}.`)
  process.exit(2)
}

const waiting = asked.length > 0 ? asked : Object.keys(steps)
const failed = []
const worker = async () => {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    if (!(await runStep(name))) failed.push(name)
  }
}
const started = Date.now()
// Each tool uses threads of its own, so more than three at once only queue behind each other.
await Promise.all(Array.from({ length: Math.min(3, Math.max(2, availableParallelism())) }, worker))
const seconds = ((Date.now() - started) / 1000).toFixed(1)
console.log(failed.length === 0 ? `All checks passed in ${seconds} s.` : `Failed after ${seconds} s: ${failed.join(', ')}.`)
process.exitCode = failed.length === 0 ? 0 : 1
