/** How the configured Redis is, for the doctor and for readiness. A Redis that is away makes the server slower, never unready. */
import type { RedisConnection } from './connection.ts'

export const redisState = (redis: RedisConnection): string => {
  const trouble = redis.trouble()
  return trouble === null ? 'ok' : `degraded: Redis does not answer (${trouble}); the database is asked for everything`
}

export async function redisFinding(redis: RedisConnection): Promise<{ check: string; ok: boolean; detail: string; fix?: string }> {
  if (!redis.isUp())
    return {
      check: 'redis',
      ok: false,
      detail: redisState(redis),
      fix: 'Start it, or correct redis.url. Nothing is lost meanwhile; it is only slower.',
    }
  const policy = await redis.policy()
  const evicts = policy !== null && policy !== 'noeviction'
  return {
    check: 'redis',
    ok: !evicts,
    detail: `answers; maxmemory-policy ${policy ?? 'unknown (CONFIG GET is not allowed)'}`,
    ...(evicts ? { fix: 'Keys would be thrown away under memory pressure: redis-cli config set maxmemory-policy noeviction' } : {}),
  }
}
