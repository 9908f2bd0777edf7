/** Connections that go silent without closing: every statement ends, its connection with it, and the next one finds the way again. */
import { WorkError } from '@work-manager/contract'
import sql from 'sql-template-tag'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type SilentProxy, startSilentProxy } from '../../../testing/silent-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { until } from '../../../testing/test-server.ts'
import { type Database, openDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { asWorkError, connectionFault } from './pg-errors.ts'
import { inspectDatabase } from './preflight.ts'

const tenant = '00000000-0000-4000-8000-000000000001'
let database: TestDatabase
let proxy: SilentProxy
let pools: Database

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  proxy = await startSilentProxy(database.runtimeUrl)
  pools = openDatabase({ url: proxy.url, maxConnections: 8, onError: () => {}, answerWithinMs: 300 })
  return async () => {
    await pools.close()
    await proxy.stop()
  }
})

const one = sql`select 1 as one`
const ways: Record<string, () => Promise<unknown>> = {
  'a read': () => pools.app.read(tenant, (q) => q.query(one)),
  'a transaction': () => pools.app.transaction(tenant, (tx) => tx.query(one)),
  'a sweep': () => pools.system.query(one),
  'a transaction of a sweep': () => pools.system.transaction((q) => q.query(one)),
  'a hot statement': () => pools.hot.query('one', 'select 1 as one', []),
}

describe.each(Object.keys(ways))('%s', (name) => {
  const ask = ways[name]!

  it('whose connection goes silent ends with 503, and the next one works', async () => {
    expect(await ask()).toEqual([{ one: 1 }])
    expect(proxy.open()).toBe(1)
    proxy.swallow()
    // The hot path makes its own refusal of what its connection says.
    await expect(ask()).rejects.toSatisfy((error) => asWorkError(error, 'commit') instanceof WorkError)
    // Not only given up by us: closed, so that nothing of it is left here.
    await until(async () => proxy.open() === 0, 'the connection is closed')
    proxy.pass()
    expect(await ask()).toEqual([{ one: 1 }])
  })
})

it('in the middle of a transaction: nothing is saved, and its own code hears of it', async () => {
  await expect(
    pools.app.transaction(tenant, async (tx) => {
      await tx.query(one)
      proxy.swallow()
      await tx.query(one)
    }),
  ).rejects.toMatchObject({ code: 'database_unavailable', message: expect.stringContaining('nothing was saved') })
})

it('while it commits: once or not at all, as is said', async () => {
  await expect(
    pools.app.transaction(tenant, async (tx) => {
      await tx.query(one)
      proxy.swallow()
    }),
  ).rejects.toMatchObject({ code: 'database_unavailable', message: expect.stringContaining('once or not at all') })
})

it('after one silence the connections from before it are not tried one by one', async () => {
  await Promise.all(Array.from({ length: 4 }, () => pools.app.read(tenant, (q) => q.query(sql`select pg_sleep(0.05)`))))
  expect(proxy.open()).toBeGreaterThan(1)
  proxy.swallow()
  await expect(ways['a read']!()).rejects.toMatchObject({ code: 'database_unavailable' })
  proxy.pass()
  // The first one already: each of the others would have ended like it.
  expect(await ways['a read']!()).toEqual([{ one: 1 }])
})

it('a statement that the server gives up is slow, not silent: its connection goes on', async () => {
  const patient = openDatabase({ url: proxy.url, maxConnections: 8, onError: () => {} })
  try {
    await expect(
      patient.app.transaction(tenant, async (tx) => {
        await tx.query(sql`select set_config('statement_timeout', '50', true)`)
        await tx.query(sql`select pg_sleep(30)`)
      }),
    ).rejects.toMatchObject({ code: 'busy' })
    expect(proxy.open()).toBe(1)
    expect(await patient.app.read(tenant, (q) => q.query(one))).toEqual([{ one: 1 }])
    expect(proxy.open()).toBe(1)
  } finally {
    await patient.close()
  }
})

it('a transaction may be allowed more, and the next one on its connection is not', async () => {
  await pools.app.transaction(tenant, async (tx) => {
    await tx.allow(5000)
    await tx.query(sql`select pg_sleep(0.8)`)
  })
  proxy.swallow()
  await expect(ways['a transaction']!()).rejects.toMatchObject({ code: 'database_unavailable' })
})

it('closing does not wait for an answer that never comes', async () => {
  const waiting = pools.app.transaction(tenant, async (tx) => {
    await tx.allow(600_000)
    proxy.swallow()
    await tx.query(one)
  })
  waiting.catch(() => {})
  await until(async () => pools.use().app.used === 1, 'it is under way')
  await pools.close()
  await expect(waiting).rejects.toThrow()
  pools = openDatabase({ url: proxy.url, maxConnections: 8, onError: () => {} })
})

describe('a server that accepts and never answers', () => {
  beforeEach(() => proxy.swallow())
  it.each([
    ['a request', () => ways['a read']!(), (error: unknown) => (error as { code: string }).code === 'database_unavailable'],
    ['a hot statement', () => ways['a hot statement']!(), (error: unknown) => (error as { code: string }).code === 'database_unavailable'],
    ['the look before the start', () => inspectDatabase(proxy.url), (error: unknown) => connectionFault(error) === 'silent'],
    ['the migration', () => migrate({ adminUrl: proxy.url }), (error: unknown) => connectionFault(error) === 'silent'],
  ])('%s ends, and it is known why', async (_, ask, isRight) => {
    await expect(ask()).rejects.toSatisfy(isRight)
  })
})
