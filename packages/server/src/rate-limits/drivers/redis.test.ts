import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled, startTestRedis, type TestRedis } from '../../../testing/peers/redis-server.ts'
import { until } from '../../../testing/test-server.ts'
import { openRedis, type RedisConnection } from '../../redis/connection.ts'
import type { Limit, Taken } from '../limit.ts'
import type { RateLimiter } from '../rate-limiter.ts'
import { createRedisLimiter } from './redis.ts'

/** So slow that nothing flows in while a test runs. */
const still = (capacity: number): Limit => ({ perMinute: 0.001, capacity, perMs: 0.001 / 60_000, windowSeconds: 60 })
/** As a promise, whichever way the driver answers. */
const take = async (limiter: RateLimiter, key: string, limit: Limit): Promise<Taken> => limiter.take(key, limit)
const count = (all: Taken[]): number => all.filter((one) => one.taken).length

describe.skipIf(!(await isInstalled('redis-server')))('rate limits in Redis', () => {
  let server: TestRedis
  const lines: Array<{ msg: string; component?: string }> = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const opened: Array<{ redis: RedisConnection; limiter: RateLimiter }> = []
  const open = async (): Promise<{ redis: RedisConnection; limiter: RateLimiter }> => {
    const redis = await openRedis({ url: server.url, prefix: 'test:', roles: ['rate limits'], log })
    const made = { redis, limiter: createRedisLimiter({ redis, log }) }
    opened.push(made)
    return made
  }
  const changes = () => lines.filter((line) => line.component === 'rate limits').map((line) => line.msg)

  beforeAll(async () => {
    server = await startTestRedis()
  })
  afterEach(async () => {
    for (const { redis, limiter } of opened.splice(0)) {
      limiter.stop()
      await redis.close()
    }
    lines.length = 0
    await server.client.flushAll()
  })
  afterAll(() => server.stop())

  test('64 calls at once through two processes share one bucket: exactly as many pass as it holds', async () => {
    const [a, b] = [await open(), await open()]
    const limit = still(40)
    const all = await Promise.all(Array.from({ length: 64 }, (_, n) => take((n % 2 ? a : b).limiter, 'k', limit)))
    expect(count(all)).toBe(40)
    expect(count(await Promise.all([take(a.limiter, 'k', limit), take(b.limiter, 'k', limit)]))).toBe(0)
  })

  test('never more pass than the bucket holds, however the calls come; at most a twentieth per process is not used', async () => {
    const [a, b] = [await open(), await open()]
    const limit = still(200)
    let passed = 0
    for (let n = 0; n < 600; n++) passed += count([await (n % 3 ? a : b).limiter.take('k', limit)])
    expect(passed).toBeLessThanOrEqual(200)
    expect(passed).toBeGreaterThanOrEqual(180)
  })

  test('who comes often is served from packets: far fewer questions than calls, and none while the bucket is empty', async () => {
    const { limiter } = await open()
    const asked = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await server.client.info('commandstats'))?.[1] ?? 0)
    const before = await asked()
    const limit = still(1_000)
    let passed = 0
    for (let n = 0; n < 900; n++) passed += count([await limiter.take('k', limit)])
    expect(passed).toBe(900)
    expect((await asked()) - before).toBeLessThan(100)
    while ((await limiter.take('k', limit)).taken) passed++
    const empty = await asked()
    for (let n = 0; n < 500; n++) expect((await limiter.take('k', limit)).taken).toBe(false)
    expect(await asked()).toBe(empty)
  })

  test('what is left goes down by one with each call, and each key has a bucket of its own', async () => {
    const { limiter } = await open()
    const limit = still(10)
    const left: number[] = []
    for (let n = 0; n < 4; n++) left.push(Math.round((await limiter.take('k', limit)).tokens))
    expect(left).toEqual([9, 8, 7, 6])
    expect(Math.round((await limiter.take('other', limit)).tokens)).toBe(9)
  })

  test('a bucket fills by Redis’s own clock, whatever the time there is', async () => {
    const { limiter, redis } = await open()
    const limit = still(10)
    await limiter.take('k', limit)
    const key = redis.key('rate', 'k')
    // As if Redis had been a day ahead when it was last asked: nothing is gained, nothing is locked.
    await server.client.set(key, `3 ${(Date.now() + 86_400_000) * 1000}`)
    expect(Math.round((await limiter.take('k', limit)).tokens)).toBe(2)
    expect(Math.round((await limiter.take('k', limit)).tokens)).toBe(1)
    expect(await server.client.pTTL(key)).toBeGreaterThan(0)
  })

  test('after FLUSHALL and SCRIPT FLUSH it goes on, with full buckets', async () => {
    const { limiter } = await open()
    const limit = still(5)
    await limiter.take('k', limit)
    await server.client.flushAll()
    await server.client.scriptFlush()
    expect((await limiter.take('k', limit)).tokens).toBeCloseTo(4)
    expect(changes()).toEqual([])
  })

  test('a key that somebody else put there makes this process count alone, and nothing fails', async () => {
    const { limiter, redis } = await open()
    await server.client.lPush(redis.key('rate', 'k'), 'x')
    const all = [await limiter.take('k', still(2)), await limiter.take('k', still(2)), await limiter.take('k', still(2))]
    expect(count(all)).toBe(2)
  })

  test.each([
    ['killed', () => server.kill(), () => server.start()],
    ['paused', async () => server.pause(), async () => server.resume()],
  ])('while Redis is %s, limits count per process; then over all again; each change is said once', async (_, end, begin) => {
    const [a, b] = [await open(), await open()]
    const limit = still(10)
    await Promise.all([take(a.limiter, 'k', limit), take(b.limiter, 'k', limit)])
    await end()
    try {
      const alone = async ({ limiter }: { limiter: RateLimiter }) =>
        count(await Promise.all(Array.from({ length: 30 }, () => take(limiter, 'k', limit))))
      expect([await alone(a), await alone(b)]).toEqual([10, 10])
      await until(async () => !a.redis.isUp() && !b.redis.isUp(), 'both know that Redis is away')
    } finally {
      await begin()
    }
    await until(async () => a.redis.isUp() && b.redis.isUp(), 'Redis is back')
    const together = await Promise.all(Array.from({ length: 40 }, (_unused, n) => take((n % 2 ? a : b).limiter, 'later', limit)))
    expect(count(together)).toBe(10)
    const [down, up] = [
      'Redis does not answer: rate limits count per process until it does',
      'Redis answers: rate limits count over all processes',
    ]
    expect(changes().toSorted()).toEqual([up, up, down, down].toSorted())
  })
})
