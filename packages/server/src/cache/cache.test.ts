import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { pino } from 'pino'
import { isInstalled, startTestRedis, type TestRedis } from '../../testing/peers/redis-server.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { openRedis, type RedisConnection } from '../redis/connection.ts'
import { type CacheKind, createTenantCache, type TenantCache } from './cache.ts'
import { memoryStore } from './drivers/memory.ts'
import { redisStore } from './drivers/redis.ts'

const withRedis = await isInstalled('redis-server')
let redis: TestRedis
const connections: RedisConnection[] = []
beforeAll(async () => {
  if (withRedis) redis = await startTestRedis()
})
afterAll(() => redis?.stop())
afterEach(async () => {
  for (const connection of connections.splice(0)) await connection.close()
})

/** Outcomes in the order in which they were counted. */
function counting(): Metrics & { outcomes: string[] } {
  const outcomes: string[] = []
  return { outcomes, increment: (_name, labels) => outcomes.push((labels as { outcome: string }).outcome), set() {}, observe() {} }
}
async function connect(): Promise<RedisConnection> {
  const connection = await openRedis({ url: redis.url, prefix: 'work:', roles: ['cache'], log: pino({ level: 'silent' }) })
  connections.push(connection)
  return connection
}
interface Opened {
  readonly cache: TenantCache
  readonly outcomes: string[]
}
const drivers: Array<[string, (secret?: string) => Promise<Opened>]> = [
  [
    'memory',
    async () => {
      const metrics = counting()
      return { cache: createTenantCache(memoryStore(1_000_000), metrics), outcomes: metrics.outcomes }
    },
  ],
]
if (withRedis)
  drivers.push([
    'redis',
    async (secret = 'secret') => {
      const metrics = counting()
      const store = redisStore({ redis: await connect(), secret, meanwhile: memoryStore(1_000_000) })
      return { cache: createTenantCache(store, metrics), outcomes: metrics.outcomes }
    },
  ])

const kind: CacheKind<{ n: number }> = { name: 'numbers', families: ['order', 'item'], ttlMs: 60_000, noneTtlMs: 60_000 }
/** A loader that counts its calls, and can be held. */
function loader(value: { n: number } | null = { n: 1 }) {
  const calls: Array<() => void> = []
  let held = false
  const load = async (): Promise<{ n: number } | null> => {
    await new Promise<void>((resolve) => {
      calls.push(resolve)
      if (!held) resolve()
    })
    return value
  }
  return { load, calls, hold: () => (held = true) }
}

describe.each(drivers)('%s', (name, open) => {
  it('loads once, and again after an event of one of its families', async () => {
    const { cache, outcomes } = await open()
    const tenant = randomUUID()
    const { load, calls } = loader()
    // The first look at a generation that Redis does not know yet only makes it known.
    await cache.raise(tenant, ['order', 'item'])
    expect(await cache.read(tenant, kind, 'a', load)).toEqual({ n: 1 })
    expect(await cache.read(tenant, kind, 'a', load)).toEqual({ n: 1 })
    expect(calls).toHaveLength(1)
    await cache.raise(tenant, ['key'])
    await cache.read(tenant, kind, 'a', load)
    expect(calls).toHaveLength(1)
    await cache.raise(tenant, ['item'])
    await cache.read(tenant, kind, 'a', load)
    expect(calls).toHaveLength(2)
    expect(outcomes).toEqual(['miss', 'hit', 'hit', 'miss'])
  })

  it('never shows one tenant what belongs to another, whatever the key', async () => {
    const { cache } = await open()
    const [acme, globex] = [randomUUID(), randomUUID()]
    for (const tenant of [acme, globex]) await cache.raise(tenant, kind.families)
    await cache.read(acme, kind, 'a', loader({ n: 7 }).load)
    expect(await cache.read(globex, kind, 'a', loader({ n: 8 }).load)).toEqual({ n: 8 })
    expect(await cache.read(acme, kind, 'a', loader(null).load)).toEqual({ n: 7 })
    // Another kind, and a key that would run into the name of the kind.
    expect(await cache.read(acme, { ...kind, name: 'number' }, 'sa', loader({ n: 9 }).load)).toEqual({ n: 9 })
  })

  it('remembers that there is none', async () => {
    const { cache, outcomes } = await open()
    const tenant = randomUUID()
    await cache.raise(tenant, kind.families)
    const { load, calls } = loader(null)
    expect([await cache.read(tenant, kind, 'a', load), await cache.read(tenant, kind, 'a', load)]).toEqual([null, null])
    expect(calls).toHaveLength(1)
    expect(outcomes).toEqual(['miss', 'none'])
    const forgetful = { ...kind, name: 'forgetful', noneTtlMs: 0 }
    await cache.read(tenant, forgetful, 'a', load)
    await cache.read(tenant, forgetful, 'a', load)
    expect(calls).toHaveLength(3)
  })

  it('one load at a time for everybody who asks meanwhile', async () => {
    const { cache } = await open()
    const tenant = randomUUID()
    await cache.raise(tenant, kind.families)
    const one = loader()
    one.hold()
    const asked = Array.from({ length: 50 }, () => cache.read(tenant, kind, 'a', one.load))
    await expect.poll(() => one.calls.length).toBe(1)
    // All of them looked at the store before the load ends.
    await cache.read(tenant, kind, 'b', loader().load)
    one.calls[0]!()
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 50 }, () => ({ n: 1 })))
    expect(one.calls).toHaveLength(1)
  })

  it('a load that began before a change is neither kept nor shared with those who come after it', async () => {
    const { cache } = await open()
    const tenant = randomUUID()
    await cache.raise(tenant, kind.families)
    const old = loader({ n: 1 })
    old.hold()
    const early = cache.read(tenant, kind, 'a', old.load)
    await expect.poll(() => old.calls.length).toBe(1)
    await cache.raise(tenant, ['order'])
    expect(await cache.read(tenant, kind, 'a', loader({ n: 2 }).load)).toEqual({ n: 2 })
    old.calls[0]!()
    expect(await early).toEqual({ n: 1 })
    expect(await cache.read(tenant, kind, 'a', loader({ n: 3 }).load)).not.toEqual({ n: 1 })
  })

  it('a load that fails is told to those who waited for it, and not remembered', async () => {
    const { cache } = await open()
    const tenant = randomUUID()
    await cache.raise(tenant, kind.families)
    await expect(cache.read(tenant, kind, 'a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await cache.read(tenant, kind, 'a', loader().load)).toEqual({ n: 1 })
  })

  it('asks whether an entry is still true before it is served, where the kind wants that', async () => {
    const { cache, outcomes } = await open()
    const tenant = randomUUID()
    await cache.raise(tenant, kind.families)
    let fresh = true
    const exact: CacheKind<{ n: number }> = { ...kind, name: 'exact', stillTrue: async () => fresh }
    await cache.read(tenant, exact, 'a', loader({ n: 1 }).load)
    expect(await cache.read(tenant, exact, 'a', loader({ n: 2 }).load)).toEqual({ n: 1 })
    fresh = false
    expect(await cache.read(tenant, exact, 'a', loader({ n: 2 }).load)).toEqual({ n: 2 })
    expect(outcomes).toEqual(['miss', 'hit', 'outdated'])
  })

  it('an entry ends with its time', async () => {
    const { cache } = await open()
    const tenant = randomUUID()
    await cache.raise(tenant, kind.families)
    const short = { ...kind, name: `short-${name}`, ttlMs: 20 }
    await cache.read(tenant, short, 'a', loader({ n: 1 }).load)
    await expect.poll(async () => (await cache.read(tenant, short, 'a', loader({ n: 2 }).load))?.n).toBe(2)
  })
})

describe('memory', () => {
  it('keeps to its size, and what is too large is not kept at all', async () => {
    const metrics = counting()
    const cache = createTenantCache(memoryStore(20_000), metrics)
    const tenant = randomUUID()
    const texts: CacheKind<string> = { ...(kind as unknown as CacheKind<string>), name: 'texts' }
    const text = (n: number, length: number) => cache.read(tenant, texts, `${n}`, async () => 'x'.repeat(length))
    for (let n = 0; n < 100; n++) await text(n, 1_000)
    await text(0, 1_000)
    await text(99, 1_000)
    await text(200, 5_000)
    await text(200, 5_000)
    expect(metrics.outcomes.slice(100)).toEqual(['miss', 'hit', 'miss', 'miss'])
  })
})

describe.skipIf(!withRedis)('Redis', () => {
  const open = () => drivers.at(-1)![1]()

  it('processes share entries, and the change that one of them sees counts for all', async () => {
    const [one, two] = [await open(), await open()]
    const tenant = randomUUID()
    await one.cache.raise(tenant, kind.families)
    await one.cache.read(tenant, kind, 'a', loader({ n: 1 }).load)
    expect(await two.cache.read(tenant, kind, 'a', loader({ n: 2 }).load)).toEqual({ n: 1 })
    await two.cache.raise(tenant, ['order'])
    expect(await one.cache.read(tenant, kind, 'a', loader({ n: 3 }).load)).toEqual({ n: 3 })
  })

  it('an entry that was moved to another tenant, altered, or written by somebody without the secret is not believed', async () => {
    const { cache } = await open()
    const [acme, globex] = [randomUUID(), randomUUID()]
    for (const tenant of [acme, globex]) await cache.raise(tenant, kind.families)
    await cache.read(acme, kind, 'a', loader({ n: 1 }).load)
    await cache.read(globex, kind, 'a', loader({ n: 2 }).load)
    const keys = await redis.client.keys('work:*entry*')
    const mine = keys.find((key) => key.includes(acme))!
    const theirs = keys.find((key) => key.includes(globex))!
    // With the generations of the victim, so that only the signature stands in the way.
    const generations = (tenant: string) => redis.client.keys(`work:*generations*${tenant}`).then(([key]) => key!)
    await redis.client.copy(await generations(acme), await generations(globex), { REPLACE: true })
    await redis.client.copy(mine, theirs, { REPLACE: true })
    expect(await cache.read(globex, kind, 'a', loader({ n: 3 }).load)).toEqual({ n: 3 })

    const stored = (await redis.client.get(mine))!
    await redis.client.set(mine, stored.replace('"n":1', '"n":666'))
    expect(await cache.read(acme, kind, 'a', loader({ n: 4 }).load)).toEqual({ n: 4 })

    const intruder = await drivers.at(-1)![1]('another secret')
    await intruder.cache.read(acme, kind, 'b', loader({ n: 666 }).load)
    expect(await cache.read(acme, kind, 'b', loader({ n: 5 }).load)).toEqual({ n: 5 })
  })

  it('while Redis is away this process remembers by itself, and afterwards nothing from before counts', async () => {
    const { cache, outcomes } = await open()
    const connection = connections.at(-1)!
    const tenant = randomUUID()
    await cache.raise(tenant, kind.families)
    await cache.read(tenant, kind, 'a', loader({ n: 1 }).load)
    redis.pause()
    try {
      expect(await cache.read(tenant, kind, 'a', loader({ n: 2 }).load)).toEqual({ n: 2 })
      expect(await cache.read(tenant, kind, 'a', loader({ n: 3 }).load)).toEqual({ n: 2 })
      // A change that Redis does not hear of.
      await cache.raise(tenant, ['order'])
      expect(await cache.read(tenant, kind, 'a', loader({ n: 4 }).load)).toEqual({ n: 4 })
    } finally {
      redis.resume()
    }
    await expect.poll(() => connection.isUp()).toBe(true)
    expect(await cache.read(tenant, kind, 'a', loader({ n: 5 }).load)).toEqual({ n: 5 })
    expect(outcomes).toEqual(['miss', 'miss', 'hit', 'miss', 'miss'])
  })

  it('FLUSHALL, and keys thrown away one by one, only cost loads', async () => {
    const { cache } = await open()
    const tenant = randomUUID()
    for (const lose of [() => redis.client.flushAll(), async () => redis.client.del(await redis.client.keys('work:*generations*'))]) {
      await cache.raise(tenant, kind.families)
      await cache.read(tenant, kind, 'a', loader({ n: 1 }).load)
      await lose()
      expect(await cache.read(tenant, kind, 'a', loader({ n: 2 }).load)).toEqual({ n: 2 })
    }
  })
})
