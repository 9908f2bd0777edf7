// Which PostgreSQL processes live in a data directory, whoever started them: an orphan of a killed start must be stopped before a
// new one, and a pid file alone proves nothing (pids are reused). On Linux the proof is in /proc: the program is `postgres` and its
// working directory *is* the data directory. Elsewhere: the pid file, checked against the command line.

import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { hasProc } from './run-as.ts'
import { EmbeddedStartError } from './start-error.ts'

const run = promisify(execFile)
const FAST_MS = 10_000
const IMMEDIATE_MS = 5_000
const KILL_MS = 3_000

/**
 * Leaves no PostgreSQL process and no misleading pid file in the directory. Call only as its owner.
 * Refuses with: postgres_failed (a process that even SIGKILL does not end).
 */
export async function clearDataDirectory(dataDir: string, log: (line: string) => void): Promise<void> {
  const found = await postgresProcesses(dataDir)
  if (found.length > 0) {
    log(`stopping PostgreSQL left over from an earlier run (pid ${found.map((p) => p.pid).join(', ')})`)
    await stopProcesses(dataDir)
  }
  await removeMisleadingPidFile(dataDir, log)
}

async function stopProcesses(dataDir: string): Promise<void> {
  const steps: [NodeJS.Signals, number, 'heads' | 'all'][] = [
    ['SIGINT', FAST_MS, 'heads'],
    ['SIGQUIT', IMMEDIATE_MS, 'heads'],
    ['SIGKILL', KILL_MS, 'all'],
  ]
  for (const [signal, patience, whom] of steps) {
    const living = await postgresProcesses(dataDir)
    const pids = new Set(living.map((p) => p.pid))
    for (const process_ of living) if (whom === 'all' || !pids.has(process_.parent)) sendSignal(process_.pid, signal)
    const deadline = performance.now() + patience
    while (performance.now() < deadline) {
      if ((await postgresProcesses(dataDir)).length === 0) return
      await sleep(25)
    }
  }
  const left = (await postgresProcesses(dataDir)).map((p) => p.pid)
  if (left.length > 0)
    throw new EmbeddedStartError(
      'postgres_failed',
      `A PostgreSQL process in ${dataDir} does not end (pid ${left.join(', ')}).`,
      'It may wait for a failing disk; restart the machine if it stays.',
    )
}

/** The PostgreSQL processes at work in a data directory. */
export async function postgresProcesses(dataDir: string): Promise<{ pid: number; parent: number }[]> {
  return hasProc() ? await searchProc(dataDir) : await askPidFile(dataDir)
}

async function searchProc(dataDir: string): Promise<{ pid: number; parent: number }[]> {
  const here = await stat(dataDir).catch(() => undefined)
  if (!here) return []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const checked = await Promise.all(
    pids.map(async (pid) => {
      try {
        const program = basename(await readlink(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '') // npm ci replaces files under a running server
        if (program !== 'postgres' && program !== 'initdb') return undefined
        const there = await stat(`/proc/${pid}/cwd`)
        if (there.ino !== here.ino || there.dev !== here.dev) return undefined
        const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ')
        return { pid, parent: Number(fields[1]) }
      } catch {
        return undefined // ended meanwhile, or another user's: then it cannot be at work in a directory that is private to us
      }
    }),
  )
  return checked.filter((found) => found !== undefined)
}

async function askPidFile(dataDir: string): Promise<{ pid: number; parent: number }[]> {
  const pid = (await readPidFile(dataDir))?.pid
  if (!pid || !isAlive(pid)) return []
  const command =
    process.platform === 'win32'
      ? await run('tasklist', ['/FI', `PID eq ${pid}`, '/FO', 'CSV', '/NH']).then(
          ({ stdout }) => stdout,
          () => '',
        )
      : await run('ps', ['-o', 'command=', '-p', String(pid)]).then(
          ({ stdout }) => stdout,
          () => '',
        )
  const isOurs = process.platform === 'win32' ? command.includes('postgres.exe') : command.includes('postgres') && command.includes(dataDir)
  return isOurs ? [{ pid, parent: 0 }] : []
}

// A pid file whose process is gone is left to PostgreSQL, which also checks shared memory by it. One that names a living stranger, or
// that cannot be read as one, would stop PostgreSQL from starting; by now it is proven that no PostgreSQL is at work here.
async function removeMisleadingPidFile(dataDir: string, log: (line: string) => void): Promise<void> {
  const file = await readPidFile(dataDir)
  if (!file || (file.pid && !isAlive(file.pid))) return
  log(
    file.pid
      ? `removed postmaster.pid: process ${file.pid}, which it names, is not PostgreSQL in this directory`
      : 'removed a damaged postmaster.pid',
  )
  await rm(join(dataDir, 'postmaster.pid'))
}

/** What `postmaster.pid` says; undefined when there is none, no pid when it is damaged. */
export async function readPidFile(dataDir: string): Promise<{ pid: number | undefined; ready: boolean } | undefined> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const lines = text.split('\n')
  const pid = Number(lines[0])
  return { pid: Number.isInteger(pid) && pid > 0 ? pid : undefined, ready: lines[7]?.trim() === 'ready' }
}

/** Sends a signal; a process that is already gone is what we wanted. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** True when a process with this pid exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
