/** The cache that the configuration asks for. */
import type { Metrics } from '../metrics/metrics.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { createTenantCache, type TenantCache } from './cache.ts'
import { memoryStore } from './drivers/memory.ts'
import { redisStore } from './drivers/redis.ts'

export const cacheDrivers = ['memory', 'redis', 'none'] as const

export function openCache(options: {
  readonly driver: (typeof cacheDrivers)[number]
  readonly maxBytes: number
  readonly redis: RedisConnection | null
  readonly secret: string
  readonly metrics: Metrics
}): TenantCache {
  const { driver, redis, secret } = options
  if (driver === 'none') return createTenantCache(null, options.metrics)
  const memory = memoryStore(options.maxBytes)
  return createTenantCache(driver === 'redis' && redis ? redisStore({ redis, secret, meanwhile: memory }) : memory, options.metrics)
}
