/** Picks the driver: Redis where one is configured, this process otherwise. */
import type { Logger } from 'pino'
import type { RedisConnection } from '../../redis/connection.ts'
import type { RateLimiter } from '../rate-limiter.ts'
import { createMemoryLimiter } from './memory.ts'
import { createRedisLimiter } from './redis.ts'

export function createRateLimiter(redis: RedisConnection | null, log: Logger): RateLimiter {
  return redis === null ? createMemoryLimiter() : createRedisLimiter({ redis, log })
}
