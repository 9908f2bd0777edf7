/** Buckets of this process alone. Exact: a bucket is looked at and changed in one step of the event loop. */
import { LRUCache } from 'lru-cache'
import type { Limit, Taken } from '../limit.ts'
import type { RateLimiter } from '../rate-limiter.ts'

interface Bucket {
  tokens: number
  /** When that many were in it, in milliseconds of a clock that is never set. */
  at: number
}

export interface MemoryLimiter extends RateLimiter {
  take(key: string, limit: Limit): Taken
  /** What is in a bucket, without taking anything. */
  left(key: string, limit: Limit): number
  /** How many buckets are kept. */
  readonly size: number
}

/** Buckets kept at most; the one that was asked for longest ago goes first, and would come back full. About 10 MB when full. */
const mostBuckets = 50_000

export function createMemoryLimiter(options: { readonly now?: () => number; readonly mostBuckets?: number } = {}): MemoryLimiter {
  // Not Date.now: setting the clock must neither lock anybody out nor fill a bucket.
  const { now = () => performance.now(), mostBuckets: max = mostBuckets } = options
  const buckets = new LRUCache<string, Bucket>({ max })
  const filled = (bucket: Bucket, limit: Limit, at: number): number =>
    Math.min(limit.capacity, bucket.tokens + Math.max(0, at - bucket.at) * limit.perMs)
  return {
    name: 'memory',
    get size() {
      return buckets.size
    },
    take(key, limit) {
      const at = now()
      let bucket = buckets.get(key)
      if (bucket === undefined) {
        bucket = { tokens: limit.capacity, at }
        buckets.set(key, bucket)
      } else {
        bucket.tokens = filled(bucket, limit, at)
        bucket.at = at
      }
      if (bucket.tokens < 1) return { taken: false, tokens: bucket.tokens }
      bucket.tokens -= 1
      return { taken: true, tokens: bucket.tokens }
    },
    left(key, limit) {
      const bucket = buckets.get(key)
      return bucket ? filled(bucket, limit, now()) : limit.capacity
    },
    giveBack(key, limit) {
      const bucket = buckets.get(key)
      if (bucket) bucket.tokens = Math.min(limit.capacity, bucket.tokens + 1)
    },
    stop() {
      buckets.clear()
    },
  }
}
