// Keeps one PostgreSQL running for as long as we live: starts it again when it dies, stops it before the disk is full, gives up when
// that does not help. Its phases:
//
//   running           → restarting (it died), waiting_for_space (disk), stopped
//   restarting        → running, waiting_for_space, failed (5 crashes in 60 s), stopped
//   waiting_for_space → running (the disk check rescues it), stopped
//
// Everything that starts or stops the server runs in one queue (`#inOrder`), so no two of them ever overlap.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Credentials } from './credentials.ts'
import { DATABASE, OWNER_ROLE, RUNTIME_ROLE } from './credentials.ts'
import { connectionUrl } from './database.ts'
import { CRITICAL_BYTES, type DiskGuard, pauseBeforeCheck, RESTART_BYTES, type StorageState } from './disk-guard.ts'
import type { Ownership } from './ownership.ts'
import { type Launch, Postmaster, type StopMode } from './postmaster.ts'
import { clearDataDirectory } from './processes.ts'
import type { Endpoint } from './settings.ts'
import { removeSocketDirectory } from './socket-directory.ts'

const MOST_CRASHES = 5
const CRASH_WINDOW_MS = 60_000
const LONGEST_PAUSE_MS = 5_000

export interface SupervisorParts {
  readonly launch: Launch
  readonly credentials: Credentials
  readonly endpoint: Endpoint
  readonly privateDirectory: string
  readonly guard: DiskGuard
  readonly ownership: Ownership
  readonly checkEveryMs: number
  readonly log: (line: string) => void
}

export class Supervisor {
  readonly adminUrl: string
  readonly runtimeUrl: string
  readonly dataDir: string
  readonly #parts: SupervisorParts
  readonly #stopping = new AbortController()
  #phase: 'running' | 'restarting' | 'waiting_for_space' | 'stopped' | 'failed' = 'running'
  #postmaster: Postmaster
  #crashes: number[] = []
  #queue: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #failure: string | undefined
  readonly #exitListeners: ((why: string) => void)[] = []

  /** Takes over a server that has just been started and found good. */
  constructor(postmaster: Postmaster, parts: SupervisorParts) {
    this.#parts = parts
    this.#postmaster = postmaster
    this.adminUrl = connectionUrl(OWNER_ROLE, parts.credentials.owner, DATABASE, parts.endpoint)
    this.runtimeUrl = connectionUrl(RUNTIME_ROLE, parts.credentials.runtime, DATABASE, parts.endpoint)
    this.dataDir = parts.launch.home.dataDir
    this.#attend(postmaster)
    this.#scheduleCheck(0)
  }

  get pid(): number {
    return this.#postmaster.pid
  }

  storageState(): StorageState {
    return this.#parts.guard.state
  }

  onStorage(listener: (state: StorageState, freeBytes: number) => void): void {
    this.#parts.guard.onChange(listener)
  }

  onExit(listener: (why: string) => void): void {
    this.#exitListeners.push(listener)
    const failure = this.#failure
    if (failure !== undefined) queueMicrotask(() => listener(failure))
  }

  stop(mode: StopMode = 'fast'): Promise<void> {
    this.#stopped ??= this.#shutDown(mode)
    if (mode === 'immediate') void this.#postmaster.stop('immediate') // the second Ctrl-C: also cuts a fast stop short
    return this.#stopped
  }

  async #shutDown(mode: StopMode): Promise<void> {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    await this.#queue
    this.#phase = 'stopped'
    await this.#postmaster.stop(mode)
    // A postmaster that was killed leaves its children behind for a moment; nothing of ours may run once we let go.
    await clearDataDirectory(this.#parts.launch.home.dataDir, this.#parts.log)
    await this.#letGo()
  }

  async #letGo(): Promise<void> {
    clearTimeout(this.#timer)
    this.#parts.launch.watchdog.close()
    await removeSocketDirectory(this.#parts.privateDirectory)
    this.#parts.ownership.release() // last: the next start must find nothing of ours running
  }

  #inOrder(task: () => Promise<void>): void {
    this.#queue = this.#queue
      .then(async () => {
        if (!this.#stopping.signal.aborted && this.#phase !== 'failed') await task()
      })
      .catch((error: unknown) => this.#fail((error as Error).message))
  }

  #attend(postmaster: Postmaster): void {
    this.#postmaster = postmaster
    this.#phase = 'running'
    void postmaster.exited.then((how) =>
      this.#inOrder(async () => {
        if (this.#phase === 'running' && this.#postmaster === postmaster) await this.#recover(how)
      }),
    )
  }

  async #recover(how: string): Promise<void> {
    this.#phase = 'restarting'
    let reason = `PostgreSQL ${how}`
    while (!this.#stopping.signal.aborted) {
      if ((await this.#parts.guard.check()) < CRITICAL_BYTES) {
        this.#phase = 'waiting_for_space'
        return
      }
      this.#crashes = [...this.#crashes.filter((at) => at > performance.now() - CRASH_WINDOW_MS), performance.now()]
      if (this.#crashes.length >= MOST_CRASHES)
        return await this.#fail(`${reason}. It ended ${MOST_CRASHES} times within ${CRASH_WINDOW_MS / 1000} s, so it is not started again.`)
      this.#parts.log(`${reason}; starting it again`)
      const pause = this.#crashes.length === 1 ? 0 : Math.min(100 * 2 ** this.#crashes.length, LONGEST_PAUSE_MS)
      await sleep(pause, undefined, { signal: this.#stopping.signal }).catch(() => {})
      try {
        if (!this.#stopping.signal.aborted) return await this.#restart()
      } catch (error) {
        reason = (error as Error).message
      }
    }
  }

  async #restart(): Promise<void> {
    const { launch, log } = this.#parts
    await clearDataDirectory(launch.home.dataDir, log)
    this.#attend(await Postmaster.start(launch))
    log(`PostgreSQL runs again (pid ${this.pid})`)
  }

  #scheduleCheck(inMs: number): void {
    this.#timer = setTimeout(
      () =>
        this.#inOrder(async () => {
          const { checkEveryMs, log } = this.#parts
          const free = await this.#checkDisk().catch((error: unknown) => log(`the disk could not be checked: ${(error as Error).message}`))
          if (!this.#stopping.signal.aborted) this.#scheduleCheck(pauseBeforeCheck(free ?? Infinity, checkEveryMs))
        }),
      inMs,
    )
    this.#timer.unref()
  }

  async #checkDisk(): Promise<number> {
    const { guard } = this.#parts
    let free = await guard.check()
    if (await guard.keepBallast(free)) free = await guard.check()
    await this.#parts.launch.serverLog.keepBounded()
    if (this.#phase === 'running' && free < CRITICAL_BYTES) {
      this.#parts.log('the disk is full: stopping PostgreSQL cleanly until there is space again')
      this.#phase = 'waiting_for_space'
      await this.#postmaster.stop('fast')
    } else if (this.#phase === 'waiting_for_space' && free >= RESTART_BYTES) {
      this.#phase = 'restarting'
      await this.#restart().catch((error: unknown) => this.#recover((error as Error).message))
    }
    return free
  }

  async #fail(why: string): Promise<void> {
    this.#phase = 'failed'
    this.#failure = `${why}\n${await this.#parts.launch.serverLog.tail()}`
    this.#parts.log(why)
    await this.#letGo()
    for (const listener of this.#exitListeners) listener(this.#failure)
  }
}
