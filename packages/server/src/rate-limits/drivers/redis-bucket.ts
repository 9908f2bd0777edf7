/** The bucket in Redis: one key, one script, so that processes cannot take the same token twice. */
import { createHash } from 'node:crypto'
import type { RedisClient, RedisConnection } from '../../redis/connection.ts'
import type { Limit } from '../limit.ts'

/**
 * Takes up to ARGV[3] tokens and answers how many, and what is left. Only differences of Redis's own clock count: set backwards, a bucket
 * stops filling for no longer than until the next call; whoever asks need not have the right time at all.
 */
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local capacity, per_us, asked = tonumber(ARGV[1]), ARGV[2] / 60000000, tonumber(ARGV[3])
local tokens, at = capacity, now
local kept = redis.call('GET', KEYS[1])
if kept then
  local was, then_at = string.match(kept, '^(%S+) (%S+)$')
  tokens, at = tonumber(was) or capacity, tonumber(then_at) or now
end
tokens = math.min(capacity, tokens + math.max(0, now - at) * per_us)
local taken = math.min(asked, math.floor(tokens))
tokens = tokens - taken
redis.call('SET', KEYS[1], string.format('%.17g %.0f', tokens, now), 'PX', math.ceil((capacity - tokens) / per_us / 1000) + 1000)
return { taken, string.format('%.17g', tokens) }`
const digest = createHash('sha1').update(script).digest('hex')

/** Refuses with: RedisUnavailableError, or the error of Redis. */
export async function takeFromRedis(
  redis: RedisConnection,
  key: string,
  limit: Limit,
  asked: number,
): Promise<{ taken: number; tokens: number }> {
  const given = { keys: [key], arguments: [String(limit.capacity), String(limit.perMinute), String(asked)] }
  const run = async (client: RedisClient): Promise<unknown> => {
    try {
      return await client.evalSha(digest, given)
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return client.eval(script, given)
    }
  }
  const [taken, tokens] = (await redis.ask(run)) as [number, string]
  return { taken, tokens: Number(tokens) }
}
