/** The driver: where buckets live. It knows keys and numbers, not whom they stand for. */
import type { Limit, Taken } from './limit.ts'

export interface RateLimiter {
  readonly name: string
  /** Takes one token, or none when there is none. Never throws: a driver that loses its store counts in this process. */
  take(key: string, limit: Limit): Taken | Promise<Taken>
  /** Puts a token back that was taken for nothing. */
  giveBack(key: string, limit: Limit): void
  stop(): void
}
