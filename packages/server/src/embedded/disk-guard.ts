// A full disk does not fail a query, it panics PostgreSQL, which then cannot start again until space returns. So we look first:
// warn, then refuse writes, then give up a ballast file, then stop the server cleanly.
//
// The limits are plain sizes, not shares of the disk: what PostgreSQL needs to shut down (its write-ahead log) does not shrink with the
// disk. On a file system smaller than about 600 MB the state is therefore never 'ok', and below 256 MB free it only reads.

import { open, rm, stat, statfs } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { type Home, giveToOwner } from './home.ts'

export type StorageState = 'ok' | 'low' | 'read_only'

const MiB = 1024 * 1024
const LOW_BYTES = 512 * MiB
const LOW_SHARE = 0.05
const READ_ONLY_BYTES = 256 * MiB
/** Below this the server is stopped: the next checkpoint or log segment (16 MiB each) could be the one that panics it. */
export const CRITICAL_BYTES = 64 * MiB
/** Above this a stopped server is started again; the gap to CRITICAL_BYTES keeps it from going up and down. */
export const RESTART_BYTES = 128 * MiB
const BALLAST_BYTES = 64 * MiB
/** The fastest we believe a disk can fill. Measured: four connections filled 600 MiB of memory disk in one second; 400 MiB/s came too late. */
const FASTEST_FILL_BYTES_PER_MS = (1024 * MiB) / 1000
/** A check costs microseconds; this only keeps it from being a busy loop. */
const SHORTEST_PAUSE_MS = 20

export function storageStateFor(freeBytes: number, totalBytes: number): StorageState {
  if (freeBytes < READ_ONLY_BYTES) return 'read_only'
  return freeBytes < Math.max(LOW_BYTES, totalBytes * LOW_SHARE) ? 'low' : 'ok'
}

/** How long the disk need not be looked at: it cannot become critical before. Seconds on a roomy disk, moments on a nearly full one. */
export function pauseBeforeCheck(freeBytes: number, atMostMs: number): number {
  const soonestMs = (freeBytes - CRITICAL_BYTES) / FASTEST_FILL_BYTES_PER_MS
  return Math.min(atMostMs, Math.max(SHORTEST_PAUSE_MS, soonestMs))
}

export class DiskGuard {
  state: StorageState = 'ok'
  readonly #home: Home
  readonly #measure: () => Promise<number>
  readonly #log: (line: string) => void
  readonly #listeners: ((state: StorageState, freeBytes: number) => void)[] = []

  constructor(home: Home, options: { freeBytes?: (() => Promise<number>) | undefined; log: (line: string) => void }) {
    this.#home = home
    this.#measure = options.freeBytes ?? (async () => (await this.#disk()).free)
    this.#log = options.log
  }

  onChange(listener: (state: StorageState, freeBytes: number) => void): void {
    this.#listeners.push(listener)
  }

  /** Measures, tells the listeners of a change, gives the ballast up if it must, and returns what is free now. */
  async check(): Promise<number> {
    let free = await this.#measure()
    if (free < CRITICAL_BYTES && (await this.#dropBallast())) free = await this.#measure()
    const state = storageStateFor(free, (await this.#disk()).total)
    if (state !== this.state) {
      this.state = state
      this.#log(`storage is ${state}: ${Math.round(free / MiB)} MiB free for ${this.#home.directory}`)
      for (const listener of this.#listeners) listener(state, free)
    }
    return free
  }

  async #disk(): Promise<{ free: number; total: number }> {
    const { bavail, blocks, bsize } = await statfs(this.#home.directory)
    return { free: bavail * bsize, total: blocks * bsize }
  }

  async #dropBallast(): Promise<boolean> {
    const path = this.#home.path('ballast')
    if (!(await stat(path).catch(() => undefined))) return false
    await rm(path)
    this.#log(`the disk is nearly full: removed ${path} to make room`)
    return true
  }

  /** Lays the ballast down (again) where there is plenty. Random bytes: a file system that compresses would make a ballast of nothing. True if it did. */
  async keepBallast(free: number): Promise<boolean> {
    const path = this.#home.path('ballast')
    if (
      free < LOW_BYTES + BALLAST_BYTES ||
      (await stat(path).then(
        (found) => found.size === BALLAST_BYTES,
        () => false,
      ))
    )
      return false
    const file = await open(path, 'w', 0o600)
    try {
      await giveToOwner(this.#home, path)
      for (let written = 0; written < BALLAST_BYTES; written += MiB) await file.write(randomBytes(MiB))
    } finally {
      await file.close()
    }
    return true
  }
}
