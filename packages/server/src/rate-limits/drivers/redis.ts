/**
 * Buckets that all processes share. A round trip per request would cost more than the request, so a process asks for several tokens at
 * once: one for each request that waits, and more while a caller keeps coming. It never spends what it did not take, so the limit
 * holds over all processes; what it took and nobody wanted within a second is lost, at most a twentieth of a bucket per process.
 * While Redis does not answer, `alone` decides: limits then count per process, and no request fails for it.
 */
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import type { RedisConnection } from '../../redis/connection.ts'
import { type Limit, type Taken, waitMs } from '../limit.ts'
import type { RateLimiter } from '../rate-limiter.ts'
import { createMemoryLimiter } from './memory.ts'
import { takeFromRedis } from './redis-bucket.ts'

/** What this process knows of one bucket. */
interface Wallet {
  /** Tokens taken from Redis and not spent yet, good until `freshUntil`. */
  tokens: number
  freshUntil: number
  /** What was left in Redis when it was last asked. */
  left: number
  /** There is no token before; asking would be in vain. */
  emptyUntil: number
  packet: number
  askedAt: number
  limit: Limit
  asking: boolean
  waiting: Array<(taken: Taken) => void>
}

const mostWallets = 50_000
/** Tokens of a caller who went elsewhere must not stay here for long; long enough for a round trip to pay. */
const freshMs = 1_000
/** A packet that was spent faster than this was too small. */
const briskMs = 100

export function createRedisLimiter(options: {
  readonly redis: RedisConnection
  readonly log: Logger
  readonly now?: () => number
}): RateLimiter {
  const { redis, log, now = () => performance.now() } = options
  const alone = createMemoryLimiter({ now })
  const wallets = new LRUCache<string, Wallet>({ max: mostWallets })
  const say = (up: boolean): void => {
    if (up) log.warn({ component: 'rate limits' }, 'Redis answers: rate limits count over all processes')
    else log.warn({ component: 'rate limits' }, 'Redis does not answer: rate limits count per process until it does')
  }
  if (!redis.isUp()) say(false)
  const off = redis.onChange(say)

  function packetOf(wallet: Wallet, limit: Limit, at: number): number {
    const most = Math.max(1, Math.floor(limit.capacity / 20))
    wallet.packet = at - wallet.askedAt < briskMs ? Math.min(most, wallet.packet * 2) : 1
    wallet.askedAt = at
    return wallet.packet
  }

  async function fill(key: string, wallet: Wallet, limit: Limit): Promise<void> {
    wallet.asking = true
    while (wallet.waiting.length > 0) {
      const served = wallet.waiting
      wallet.waiting = []
      try {
        const asked = Math.max(served.length, packetOf(wallet, limit, now()))
        const { taken, tokens } = await takeFromRedis(redis, redis.key('rate', key), limit, asked)
        const at = now()
        wallet.left = tokens
        for (const [index, give] of served.entries())
          give(index < taken ? { taken: true, tokens: tokens + taken - index - 1 } : { taken: false, tokens: Math.min(tokens, 1) })
        if (taken < served.length) wallet.emptyUntil = at + waitMs(limit, tokens)
        wallet.tokens = Math.max(0, taken - served.length)
        wallet.freshUntil = at + freshMs
      } catch {
        // The connection itself tells when it is gone; a single command that fails (a key of somebody else's) is no news worth a line each.
        for (const give of served) give(alone.take(key, limit))
      }
    }
    wallet.asking = false
  }

  return {
    name: 'redis',
    take(key, limit) {
      if (!redis.isUp()) return alone.take(key, limit)
      let wallet = wallets.get(key)
      if (wallet === undefined) {
        wallet = { tokens: 0, freshUntil: 0, left: 0, emptyUntil: 0, packet: 1, askedAt: -briskMs, limit, asking: false, waiting: [] }
        wallets.set(key, wallet)
      }
      if (wallet.limit !== limit) {
        // Another tier: what was known of the old bucket says nothing about the new one.
        wallet.limit = limit
        wallet.emptyUntil = 0
      }
      const at = now()
      if (wallet.tokens > 0 && at < wallet.freshUntil) {
        wallet.tokens--
        return { taken: true, tokens: Math.min(limit.capacity - 1, wallet.left + wallet.tokens) }
      }
      if (at < wallet.emptyUntil) return { taken: false, tokens: Math.max(0, 1 - (wallet.emptyUntil - at) * limit.perMs) }
      const { waiting } = wallet
      const answer = new Promise<Taken>((resolve) => waiting.push(resolve))
      if (!wallet.asking) void fill(key, wallet, limit)
      return answer
    },
    giveBack(key, limit) {
      const wallet = wallets.get(key)
      if (wallet === undefined || !redis.isUp()) return alone.giveBack(key, limit)
      const at = now()
      wallet.tokens = at < wallet.freshUntil ? wallet.tokens + 1 : 1
      wallet.freshUntil = at + freshMs
    },
    stop() {
      off()
      wallets.clear()
      alone.stop()
    },
  }
}
