/** What a wrong Redis is told at start, and that one that is away stops nobody. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { isInstalled, startTestRedis, type TestRedis } from '../../testing/peers/redis-server.ts'
import { provideRedis } from '../composition/observing.ts'
import { loadConfig } from '../config/index.ts'
import { explain } from '../cli/explain.ts'
import { exitCodes } from '../cli/cli-error.ts'
import { openRedis, type RedisConnection, type RedisRole, RedisUnavailableError, UnfitRedisError } from './connection.ts'
import { redisFinding, redisState } from './finding.ts'

describe.skipIf(!(await isInstalled('redis-server')))('the connection to Redis', () => {
  const undo: Array<() => Promise<void>> = []
  afterEach(async () => {
    for (const step of undo.splice(0).toReversed()) await step()
  })
  async function start(settings: Record<string, string> = {}): Promise<TestRedis> {
    const redis = await startTestRedis(settings)
    undo.push(() => redis.stop())
    return redis
  }
  const lines: Array<{ level: number; msg: string }> = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  async function open(url: string, roles: RedisRole[] = ['leases']): Promise<RedisConnection> {
    const connection = await openRedis({ url, prefix: 'test:', roles, log })
    undo.push(() => connection.close())
    return connection
  }
  async function refused(url: string, roles?: RedisRole[]): Promise<UnfitRedisError> {
    const error: unknown = await open(url, roles).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(UnfitRedisError)
    return error as UnfitRedisError
  }

  it('refuses wrong credentials at start, says what to change, and never shows the password', async () => {
    const redis = await start()
    await redis.client.configSet('requirepass', 'hunter2hunter2')
    const at = `127.0.0.1:${redis.port}`
    expect((await refused(redis.url)).message).toContain(`Redis at ${at} asks for a password`)
    const wrong = await refused(`redis://:nothunter2@${at}`)
    expect(wrong.message).toContain('does not accept the user or password')
    expect(`${wrong.message} ${wrong.fix}`).not.toContain('nothunter2')
    expect((await refused(`redis://:hunter2hunter2@${at}/99`)).message).toContain('no database of that number')
    expect((await open(`redis://:hunter2hunter2@${at}`)).isUp()).toBe(true)
  })

  it('refuses an evicting policy for leases, with the exit code of a configuration mistake', async () => {
    const redis = await start({ maxmemory: '10mb', 'maxmemory-policy': 'allkeys-lru' })
    const error = await refused(redis.url)
    expect(error.fix).toContain('noeviction')
    const told = explain(error)
    expect([told.code, told.exit]).toEqual(['redis_unfit', exitCodes.configuration])
    expect(told.message).toBe('Redis has maxmemory-policy allkeys-lru and would throw keys away under memory pressure.')
    // For a cache that is only worth a warning.
    lines.length = 0
    expect((await open(redis.url, ['cache'])).isUp()).toBe(true)
    expect(lines.filter(({ level }) => level === 40).map(({ msg }) => msg)).toEqual([expect.stringContaining('allkeys-lru')])
  })

  it('counts as used what is switched on: rate limits that are off do not make an evicting Redis unfit for the cache', async () => {
    const redis = await start({ maxmemory: '10mb', 'maxmemory-policy': 'allkeys-lru' })
    const provide = async (env: Record<string, string>) =>
      provideRedis(await loadConfig({ env: { REDIS_URL: redis.url, ...env }, cwd: '/' }), log)
    await expect(provide({ WORK_MANAGER_CACHE_DRIVER: 'redis' })).rejects.toThrow('for rate limits')
    expect(await provide({ WORK_MANAGER_RATE_LIMITS_ENABLED: 'false' })).toBeNull()
    const cacheOnly = await provide({ WORK_MANAGER_CACHE_DRIVER: 'redis', WORK_MANAGER_RATE_LIMITS_ENABLED: 'false' })
    undo.push(async () => cacheOnly?.close())
    expect(cacheOnly?.isUp()).toBe(true)
  })

  it('starts without Redis, says so once, and finds it when it comes', async () => {
    const redis = await start()
    await redis.kill()
    const connection = await open(redis.url)
    expect(connection.isUp()).toBe(false)
    await expect(connection.ask((client) => client.ping())).rejects.toBeInstanceOf(RedisUnavailableError)
    expect(redisState(connection)).toContain('degraded')
    expect(await redisFinding(connection)).toMatchObject({ check: 'redis', ok: false, fix: expect.stringContaining('redis.url') })
    await redis.start()
    await expect.poll(() => connection.isUp()).toBe(true)
    expect(redisState(connection)).toBe('ok')
    expect(await redisFinding(connection)).toMatchObject({ ok: true, detail: expect.stringContaining('noeviction') })
  })

  it('says once what does not speak Redis, although two errors take turns', async () => {
    const other = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
    undo.push(async () => void other.close())
    await once(other, 'listening')
    let tries = 0
    const third = Promise.withResolvers<void>()
    other.on('connection', () => ++tries === 3 && third.resolve())
    lines.length = 0
    const connection = await open(`redis://127.0.0.1:${(other.address() as AddressInfo).port}`)
    await third.promise
    expect(connection.isUp()).toBe(false)
    const said = lines.filter(({ level }) => level === 40).map(({ msg }) => msg)
    expect(said.length).toBeGreaterThan(0)
    expect(said).toEqual([...new Set(said)])
  })

  it('a paused Redis is left alone after one late answer, and used again when it answers', async () => {
    const redis = await start()
    const connection = await open(redis.url)
    redis.pause()
    await expect(connection.ask((client) => client.ping())).rejects.toBeInstanceOf(RedisUnavailableError)
    expect(connection.isUp()).toBe(false)
    expect(connection.trouble()).toContain('no answer within')
    redis.resume()
    await expect.poll(() => connection.isUp()).toBe(true)
  })

  it('a process that was kept from running itself does not take that for a silence of Redis', async () => {
    const redis = await start()
    const connection = await open(redis.url)
    const asked = connection.ask((client) => client.ping())
    // Longer than an answer may take.
    const until = performance.now() + 600
    while (performance.now() < until);
    expect(await asked).toBe('PONG')
    expect(connection.isUp()).toBe(true)
  })
})
