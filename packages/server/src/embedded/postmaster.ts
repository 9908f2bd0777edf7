// One run of the server: start it, wait until it says it is ready, stop it. What to do when it dies is the supervisor's business.

import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Binaries } from './binaries.ts'
import type { Home } from './home.ts'
import { readPidFile, sendSignal } from './processes.ts'
import { cleanEnvironment, placeOf, runAs } from './run-as.ts'
import type { ServerLog } from './server-log.ts'
import { commandLine } from './settings.ts'
import { EmbeddedStartError } from './start-error.ts'
import type { Watchdog } from './watchdog-link.ts'

export type StopMode = 'fast' | 'immediate'

/** Replaying the log after a crash can take minutes and must not be cut short, or it starts over; a server that hangs must not hang us. */
const READY_MS = 300_000
const FAST_MS = 10_000
const IMMEDIATE_MS = 5_000

export interface Launch {
  readonly home: Home
  readonly binaries: Binaries
  readonly serverLog: ServerLog
  readonly watchdog: Watchdog
  readonly settings: Record<string, string>
}

export class Postmaster {
  readonly pid: number
  /** Settles when the process is gone, with how it ended. */
  readonly exited: Promise<string>
  readonly #child: ChildProcess
  readonly #binaries: Binaries
  readonly #dataDir: string

  private constructor(child: ChildProcess, pid: number, exited: Promise<string>, launch: Launch) {
    this.pid = pid
    this.exited = exited
    this.#child = child
    this.#binaries = launch.binaries
    this.#dataDir = launch.home.dataDir
  }

  /** Starts the server and returns once it takes connections. Refuses with: postgres_failed, disk_full, not_permitted, start_timeout. */
  static async start(launch: Launch): Promise<Postmaster> {
    const { home, binaries, serverLog, watchdog } = launch
    const place = placeOf(home.dataDir, binaries.account)
    return await serverLog.withAppend(async (descriptor, from) => {
      // Detached: Ctrl-C goes to the whole foreground group, and the server must not stop before we have finished our requests.
      const child = spawn(binaries.postgres, ['-D', place.argument, ...commandLine(launch.settings)], {
        ...runAs(binaries.account),
        cwd: place.cwd,
        env: cleanEnvironment(),
        stdio: ['ignore', descriptor, descriptor],
        detached: true,
        windowsHide: true,
      })
      const { pid } = child
      const exited = howItEnds(child)
      if (pid === undefined)
        throw new EmbeddedStartError(
          'postgres_failed',
          `PostgreSQL could not be started: ${await exited}.`,
          `Check ${binaries.postgres}, or set DATABASE_URL.`,
        )
      watchdog.watch(pid)
      void exited.then(() => watchdog.forget(pid))
      const postmaster = new Postmaster(child, pid, exited, launch)
      const end = await Promise.race([exited, postmaster.#ready()])
      if (end === 'ready') return postmaster
      if (end === 'timeout') await postmaster.stop('immediate')
      throw startFailure(end, await serverLog.tail(from), serverLog.path)
    })
  }

  async #ready(): Promise<'ready' | 'timeout' | 'gone'> {
    const deadline = performance.now() + READY_MS
    while (performance.now() < deadline) {
      const file = await readPidFile(this.#dataDir)
      if (file?.pid === this.pid && file.ready) return 'ready'
      if (this.#hasEnded()) return await new Promise(() => {}) // `exited` tells how
      await sleep(10)
    }
    return 'timeout'
  }

  #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Stops the server and waits until it is gone: fast, after 10 s immediate, after 5 s more by force. Nothing committed is lost by any of them. */
  async stop(mode: StopMode = 'fast'): Promise<void> {
    if (this.#hasEnded()) return
    if (mode === 'fast' && (await this.#endsAfter('SIGINT', FAST_MS))) return
    if (await this.#endsAfter('SIGQUIT', IMMEDIATE_MS)) return
    sendSignal(this.pid, 'SIGKILL')
    await this.exited
  }

  async #endsAfter(signal: 'SIGINT' | 'SIGQUIT', patience: number): Promise<boolean> {
    if (process.platform === 'win32') {
      // Windows has no such signals; pg_ctl speaks the server's own pipe.
      spawn(this.#binaries.pgCtl, ['stop', '-D', this.#dataDir, '-m', signal === 'SIGINT' ? 'fast' : 'immediate', '-W'], {
        stdio: 'ignore',
        windowsHide: true,
        env: cleanEnvironment(),
      })
    } else {
      sendSignal(this.pid, signal)
    }
    const timeout = new AbortController()
    const late = sleep(patience, false, { signal: timeout.signal }).catch(() => false)
    const ended = await Promise.race([this.exited.then(() => true), late])
    timeout.abort()
    return ended
  }
}

function howItEnds(child: ChildProcess): Promise<string> {
  return new Promise((settle) => {
    child.once('error', (error) => settle(error.message))
    child.once('exit', (code, signal) => settle(signal ? `killed by ${signal}` : `ended with code ${code}`))
  })
}

function startFailure(end: string, lines: string, logPath: string): EmbeddedStartError {
  if (end === 'timeout') {
    return new EmbeddedStartError(
      'start_timeout',
      `PostgreSQL was not ready after ${READY_MS / 1000} s. Its last words:\n${lines}`,
      `Read ${logPath}; a very slow disk is the usual cause.`,
    )
  }
  if (/No space left on device|Disk quota exceeded/.test(lines)) {
    return new EmbeddedStartError(
      'disk_full',
      `PostgreSQL cannot start on a full disk:\n${lines}`,
      'Free some space and start again; nothing that was acknowledged is lost.',
    )
  }
  if (/Permission denied|has wrong ownership|has invalid permissions/.test(lines)) {
    return new EmbeddedStartError(
      'not_permitted',
      `PostgreSQL may not use its own files:\n${lines}`,
      'Give the data directory back to the user that runs it, with mode 0700.',
    )
  }
  return new EmbeddedStartError(
    'postgres_failed',
    `PostgreSQL did not start (${end}). Its last words:\n${lines}`,
    `The whole log is ${logPath}.`,
  )
}
