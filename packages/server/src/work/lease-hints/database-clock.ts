/**
 * What time the database has, as this process knows without asking: the last moment it told, carried on by the monotonic clock of the
 * process. Wall clocks of this machine and of Redis play no part, so their skew and their steps change nothing.
 */
import type { Instant } from '../../kernel/store/tx.ts'

export const microsOf = (at: Instant): number => Date.parse(`${at.slice(0, 19)}Z`) * 1000 + Number(at.slice(20, 26))
export const instantOf = (micros: number): Instant =>
  `${new Date(Math.floor(micros / 1_000_000) * 1000).toISOString().slice(0, 19)}.${String(micros % 1_000_000).padStart(6, '0')}Z`

/** Monotonic, in microseconds. */
export const ticks = (): number => Math.floor(performance.now() * 1000)

/** Clocks drift apart by far less than a millisecond in this time, and a step of the database's clock is forgotten after it. */
const oldestMicros = 10_000_000

export interface DatabaseClock {
  /** The database told `at` in answer to a statement that was sent at `sentAt` (ticks) and has just been answered. */
  saw(at: Instant, sentAt: number): void
  /** The earliest and the latest that the database's clock can show now, in microseconds; null when that is not known well enough. */
  now(): { readonly earliest: number; readonly latest: number } | null
}

export function createDatabaseClock(): DatabaseClock {
  let seen: { at: number; sentAt: number; answeredAt: number } | null = null
  return {
    saw(at, sentAt) {
      seen = { at: microsOf(at), sentAt, answeredAt: ticks() }
    },
    now() {
      const now = ticks()
      if (seen === null || now - seen.sentAt > oldestMicros) return null
      return { earliest: seen.at + now - seen.answeredAt, latest: seen.at + now - seen.sentAt }
    },
  }
}
