/** Entries in this process, the least used thrown away first. */
import { LRUCache } from 'lru-cache'
import type { CacheEntry, CacheStore } from '../cache.ts'

interface Kept extends CacheEntry {
  readonly bytes: number
}

export function memoryStore(maxBytes: number): CacheStore {
  const entries = new LRUCache<string, Kept>({ maxSize: maxBytes, sizeCalculation: (entry, key) => key.length + entry.bytes + 100 })
  const generations = new Map<string, number>()
  // Every number is given once, in the whole store: a generation that was forgotten can never come back.
  let newest = 0
  let unknown = 0
  const generation = (tenantId: string, family: string): number => generations.get(`${tenantId} ${family}`) ?? unknown

  return {
    async look(tenantId, families, key) {
      return {
        generations: families.map((family) => generation(tenantId, family)).join(','),
        entry: entries.get(`${tenantId} ${key}`) ?? null,
      }
    },
    async keep(tenantId, key, entry, ttlMs) {
      const bytes = JSON.stringify(entry.value).length
      // An entry that would push out everything else is not worth it.
      if (bytes < maxBytes / 8) entries.set(`${tenantId} ${key}`, { ...entry, bytes }, { ttl: ttlMs })
    },
    async raise(tenantId, families) {
      newest++
      if (generations.size > 100_000) {
        generations.clear()
        unknown = newest
      }
      for (const family of families) generations.set(`${tenantId} ${family}`, newest)
    },
  }
}
