/**
 * Entries that the processes share. Redis is not believed: every entry is signed together with its key, so whoever can write there can
 * make the cache miss, but not make it lie, nor show one tenant what belongs to another.
 */
import { createHmac, hkdfSync, randomInt, timingSafeEqual } from 'node:crypto'
import type { RedisConnection } from '../../redis/connection.ts'
import type { CacheEntry, CacheStore } from '../cache.ts'

const largestEntryBytes = 256 * 1024
const generationsTtlMs = 7 * 24 * 3_600_000

export interface RedisStoreOptions {
  readonly redis: RedisConnection
  /** Known to whoever can read the database, and to nobody else. */
  readonly secret: string
  /** Takes over while Redis is away. */
  readonly meanwhile: CacheStore
}

export function redisStore({ redis, secret, meanwhile }: RedisStoreOptions): CacheStore {
  const signingKey = Buffer.from(hkdfSync('sha256', secret, '', 'work-manager cache entries', 32))
  const sign = (key: string, text: string): Buffer => createHmac('sha256', signingKey).update(`${key.length}:${key}`).update(text).digest()
  const generationsKey = (tenantId: string) => redis.key('cache', 'generations', tenantId)
  const epochKey = redis.key('cache', 'epoch')
  const entryKey = (tenantId: string, key: string) => redis.key('cache', 'entry', tenantId, key)

  function read(key: string, stored: string | null): CacheEntry | null {
    if (stored === null) return null
    const [signature, text] = [stored.slice(0, 43), stored.slice(43)]
    const given = Buffer.from(signature, 'base64url')
    const wanted = sign(key, text)
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null
    return JSON.parse(text) as CacheEntry
  }

  // After a change that could not be told to Redis, everything that is there counts as old.
  let missedChange = false
  async function comeBack(): Promise<void> {
    await redis.ask((client) => client.incrBy(epochKey, randomInt(1, 2 ** 40)))
    missedChange = false
  }

  return {
    async look(tenantId, families, key) {
      try {
        if (missedChange) await comeBack()
        const at = entryKey(tenantId, key)
        const [epoch, known, stored] = await redis.ask((client) =>
          Promise.all([client.get(epochKey), client.hmGet(generationsKey(tenantId), [...families]), client.get(at)]),
        )
        // A generation that Redis lost starts at a random number, never again at one that an entry could carry.
        const missing = families.filter((_, n) => known[n] === null || known[n] === undefined)
        if (missing.length > 0) {
          await redis.ask((client) =>
            Promise.all(missing.map((family) => client.hSetNX(generationsKey(tenantId), family, String(randomInt(1, 2 ** 40))))),
          )
          return { generations: `unknown ${randomInt(2 ** 40)}`, entry: null }
        }
        return { generations: `${epoch} ${known.join(',')}`, entry: read(at, stored) }
      } catch {
        return meanwhile.look(tenantId, families, key)
      }
    },
    async keep(tenantId, key, entry, ttlMs) {
      const text = JSON.stringify(entry)
      if (text.length > largestEntryBytes) return
      const at = entryKey(tenantId, key)
      try {
        await redis.ask((client) =>
          client.set(at, sign(at, text).toString('base64url') + text, { expiration: { type: 'PX', value: ttlMs } }),
        )
      } catch {
        await meanwhile.keep(tenantId, key, entry, ttlMs)
      }
    },
    async raise(tenantId, families) {
      await meanwhile.raise(tenantId, families)
      try {
        const at = generationsKey(tenantId)
        await redis.ask((client) =>
          Promise.all([...families.map((family) => client.hIncrBy(at, family, randomInt(1, 1000))), client.pExpire(at, generationsTtlMs)]),
        )
      } catch {
        missedChange = true
      }
    },
  }
}
