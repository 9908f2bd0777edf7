/** Asking Redis for a hint: any failure is "no hint", said once in a while, and a Redis that answers with errors is left alone for a second. */
import type { Logger } from 'pino'
import { type RedisClient, type RedisConnection, RedisUnavailableError } from '../../redis/connection.ts'

const restMs = 1_000
const sayEveryMs = 30_000

export interface Asking {
  /** null: no answer. */
  <T>(commands: (client: RedisClient) => Promise<T>): Promise<T | null>
}

export function createAsking(redis: RedisConnection, log: Logger): Asking {
  let restsUntil = 0
  let saidAt = Number.NEGATIVE_INFINITY
  return async (commands) => {
    if (!redis.isUp() || performance.now() < restsUntil) return null
    try {
      return await redis.ask(commands)
    } catch (error) {
      if (error instanceof RedisUnavailableError || !redis.isUp()) return null
      restsUntil = performance.now() + restMs
      if (performance.now() - saidAt > sayEveryMs) {
        saidAt = performance.now()
        log.warn(
          { component: 'redis', reason: error instanceof Error ? error.message : String(error) },
          'Redis refuses what the lease backend asks: the database is asked instead',
        )
      }
      return null
    }
  }
}
