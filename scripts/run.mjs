/**
 * The one entry behind `npm start`, `npm test` and the other npm scripts: installs what is missing, picks a Node that is new
 * enough, and runs the named command on it. Plain JavaScript for Node 20, because it runs before the project's own Node is there.
 * package.json starts it with `exec`: a shell left between npm and this process would swallow an interrupt or die alone of SIGTERM.
 */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { flagsFor, usableMemory } from '../packages/server/bin/memory-flags.mjs'
import { installWhatIsMissing } from './install.mjs'
import { findNode, withLocalBins } from './node-binary.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Command name → what Node runs; arguments of the user follow. */
const commands = {
  start: ['packages/server/src/cli/main.ts', 'start'],
  test: ['node_modules/vitest/vitest.mjs', 'run'],
  check: ['scripts/check.mjs'],
  bench: ['bench/run.ts'],
  generate: ['scripts/generate.ts'],
  format: ['node_modules/oxfmt/bin/oxfmt', '--write'],
  build: ['scripts/build.mjs'],
}

/** npm repeats a signal that it got itself, so two of a kind within this many ms mean that the whole process group was signalled. */
const REPEAT_MS = 200
/** A further signal of the same kind after this many ms is a second wish, not an echo of the first. */
const ECHO_MS = 1000
/** A command still running this long after a signal it should have got without us is asked once more, by SIGTERM. */
const REMINDER_MS = 5000
/** How soon the command is asked to end after the npm that started it was killed and could not pass anything on. */
const ORPHAN_CHECK_MS = 500

/**
 * Runs the child to its end and resolves with how it ended. SIGINT and SIGTERM reach it once, except when a signal to the whole group
 * arrives so fast that the system merges npm's echo with it: a command must treat a repeat within a second as the same signal.
 */
function runToEnd(file, args, env) {
  const child = spawn(file, args, { cwd: root, env, stdio: 'inherit' })
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  const firstSeen = new Map()
  const forwarding = new Map()
  let reminder

  // The child is in our process group: what a terminal or `kill -- -group` sends reaches it directly, and sent again would look
  // like impatience. What is sent to npm or to us alone must be passed on.
  const groupWasTold = () => {
    reminder ??= setTimeout(() => child.kill('SIGTERM'), REMINDER_MS)
  }
  const onSignal = (signal) => {
    const now = performance.now()
    if (now - (firstSeen.get(signal) ?? -Infinity) < ECHO_MS) {
      if (!forwarding.has(signal)) return
      clearTimeout(forwarding.get(signal))
      forwarding.delete(signal)
      return groupWasTold()
    }
    firstSeen.set(signal, now)
    if (signal === 'SIGINT' && atTerminal) return groupWasTold()
    const forward = () => {
      forwarding.delete(signal)
      child.kill(signal)
    }
    forwarding.set(signal, setTimeout(forward, REPEAT_MS))
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)

  const parent = process.ppid
  const orphanCheck = setInterval(() => {
    // Only under npm: someone who starts this file by hand may want it to outlive the shell.
    if (process.env.npm_lifecycle_event === undefined || process.ppid === parent) return
    clearInterval(orphanCheck)
    child.kill('SIGTERM')
  }, ORPHAN_CHECK_MS)

  return new Promise((resolve) => {
    const finish = (ending) => {
      for (const timer of [reminder, ...forwarding.values()]) clearTimeout(timer)
      clearInterval(orphanCheck)
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
      resolve(ending)
    }
    child.on('error', (error) => finish({ error }))
    child.on('exit', (code, signal) => finish({ code, signal }))
  })
}

async function main() {
  const [name, ...userArgs] = process.argv.slice(2)
  const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined
  if (command === undefined) {
    console.error(`Say which command to run, one of: ${Object.keys(commands).join(', ')}. For example: node scripts/run.mjs start`)
    return 2
  }
  if (!(await installWhatIsMissing(root))) return 1

  const node = findNode(root)
  if (node.refusal !== undefined) {
    console.error(node.refusal)
    return 3
  }
  const [script, ...fixedArgs] = command
  const ending = await runToEnd(
    node.file,
    [...(name === 'start' ? flagsFor(usableMemory()) : []), path.join(root, script), ...fixedArgs, ...userArgs],
    withLocalBins(root, node.file, process.env),
  )
  if (ending.error !== undefined) {
    console.error(`${node.file} could not be started: ${ending.error.message}`)
    return 1
  }
  if (ending.signal !== null) {
    // Ends the way the child ended, so that a shell loop or npm sees an interrupt and not a plain failure.
    process.kill(process.pid, ending.signal)
    return 1
  }
  return ending.code
}

process.exitCode = await main()
