/**
 * A read cache in which a tenant is part of every key. Every entry remembers the generations of the families of events it was made
 * from (`order`, `item`, `key` …); the invalidator raises them from the ledger after the commit, so an entry that a slow reader stores
 * after a change carries the old generations and is never served. One look-up per key runs at a time in a process; null is remembered
 * as well, for a shorter time. Without its store the cache is a detour of zero length: everybody loads.
 */
import type { Metrics } from '../metrics/metrics.ts'

/** Where entries live. A store may lose anything at any time. */
export interface CacheStore {
  /** The generations of `families` now, and what is stored under the key, if anything. Null: the store cannot be asked. */
  look(tenantId: string, families: readonly string[], key: string): Promise<{ generations: string; entry: CacheEntry | null } | null>
  keep(tenantId: string, key: string, entry: CacheEntry, ttlMs: number): Promise<void>
  /** Makes every entry of the tenant that depends on one of the families worthless. */
  raise(tenantId: string, families: readonly string[]): Promise<void>
}
export interface CacheEntry {
  readonly generations: string
  readonly value: unknown
}

/** One sort of thing that is cached. */
export interface CacheKind<T> {
  readonly name: string
  /** First words of the events that change it: `order` for order.approved. */
  readonly families: readonly string[]
  readonly ttlMs: number
  /** How long "there is none" is remembered; 0 = not at all. */
  readonly noneTtlMs?: number
  /**
   * Asked before an entry is served, where even the moment between commit and ledger is too long. Must be cheaper than loading.
   */
  stillTrue?(value: T): Promise<boolean>
}

export interface TenantCache {
  /** The value of `load`, remembered. Values are JSON; nobody may change what they are given. */
  read<T>(tenantId: string, kind: CacheKind<T>, key: string, load: () => Promise<T | null>): Promise<T | null>
  raise(tenantId: string, families: readonly string[]): Promise<void>
}

export function createTenantCache(store: CacheStore | null, metrics: Metrics): TenantCache {
  const running = new Map<string, Promise<unknown>>()
  const count = (kind: string, outcome: 'hit' | 'miss' | 'none' | 'outdated' | 'bypass') =>
    metrics.increment('cache_requests_total', { kind, outcome })

  /** One at a time: those who come while it runs share its answer. */
  function once<T>(key: string, load: () => Promise<T>): Promise<T> {
    const under = running.get(key)
    if (under) return under as Promise<T>
    const promise = load().finally(() => running.delete(key))
    running.set(key, promise)
    return promise
  }

  return {
    async read<T>(tenantId: string, kind: CacheKind<T>, key: string, load: () => Promise<T | null>): Promise<T | null> {
      const name = `${kind.name.length}:${kind.name}${key}`
      const found = store && (await store.look(tenantId, kind.families, name))
      if (!store || !found) {
        count(kind.name, 'bypass')
        return load()
      }
      const { entry, generations } = found
      if (entry && entry.generations === generations) {
        const value = entry.value as T | null
        if (value === null || !kind.stillTrue || (await kind.stillTrue(value))) {
          count(kind.name, value === null ? 'none' : 'hit')
          return value
        }
        count(kind.name, 'outdated')
      } else count(kind.name, 'miss')
      // What `stillTrue` judges must have been read after the question: such a load is never shared with somebody who asked later.
      if (kind.stillTrue) return fill(store, load)
      return once(`${tenantId} ${generations} ${name}`, () => fill(store, load))

      async function fill(into: CacheStore, make: () => Promise<T | null>): Promise<T | null> {
        const value = await make()
        const ttlMs = value === null ? (kind.noneTtlMs ?? 0) : kind.ttlMs
        if (ttlMs > 0) await into.keep(tenantId, name, { generations, value }, ttlMs)
        return value
      }
    },
    async raise(tenantId, families) {
      await store?.raise(tenantId, families)
    },
  }
}
