// A process of its own that outlives ours by a few seconds. Its stdin is a pipe from us; when we die, however we die, the pipe ends, and
// it stops the PostgreSQL we started: fast, then immediate, then by force. It imports nothing of ours, so it runs as it stands.
//
// One JSON message a line: {"watch":pid} {"forget":pid} {"remove":directory} and, before a normal end, {"done":true}.

import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const STEPS: [NodeJS.Signals, number][] = [
  ['SIGINT', 10_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 0],
]

// pid → when that process was born, so that a pid used again by somebody else is never signalled.
const watched = new Map<number, string | undefined>()
let toRemove: string | undefined
let done = false

// We must outlive what kills our parent: Ctrl-C and a closing terminal go to every process of the group.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

const messages = createInterface({ input: process.stdin })
messages.on('line', (line) => {
  const message = JSON.parse(line) as { watch?: number; forget?: number; remove?: string; done?: boolean }
  if (message.watch) watched.set(message.watch, bornAt(message.watch))
  if (message.forget) watched.delete(message.forget)
  if (message.remove) toRemove = message.remove
  if (message.done) done = true
})
messages.on('close', () => void endAll())

async function endAll(): Promise<never> {
  if (!done) {
    await Promise.all([...watched].map(([pid, born]) => end(pid, born)))
    if (toRemove) await rm(toRemove, { recursive: true, force: true })
  }
  process.exit(0)
}

async function end(pid: number, born: string | undefined): Promise<void> {
  const isStillIt = () => isAlive(pid) && bornAt(pid) === born
  for (const [signal, patience] of STEPS) {
    if (!isStillIt()) return
    process.kill(pid, signal)
    const deadline = performance.now() + patience
    while (isStillIt() && performance.now() < deadline) await sleep(50)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

// Linux only; elsewhere the pid alone has to do, for the moments between our death and the signal.
function bornAt(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[19]
  } catch {
    return undefined
  }
}
