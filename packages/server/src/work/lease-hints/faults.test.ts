/**
 * Redis is lost in every way there is while agents work, at servers with and without it on one database: nothing is lost, nothing is held
 * twice, and the record tells one story.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { contradictionsIn } from '../../../testing/history.ts'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { isInstalled, startTestRedis, type TestRedis } from '../../../testing/peers/redis-server.ts'
import { type Caller, createCaller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'

const types = [essayType]
const unlimited = { rate_limits: { default_per_minute: 1_000_000 } }

describe.skipIf(!(await isInstalled('redis-server')))('whatever happens to Redis', () => {
  let redis: TestRedis
  let first: TestServer
  let second: TestServer
  let plain: TestServer
  let proposer: Caller
  let agents: Caller[]

  const startHinted = (): Promise<TestServer> =>
    startTestServer({
      types,
      background: false,
      ...(first ? { database: first.database } : {}),
      config: { ...unlimited, database: { max_connections: 6 }, redis: { url: redis.url }, lease: { backend: 'redis' } },
    })
  const startPlain = (): Promise<TestServer> =>
    startTestServer({ types, background: false, database: first.database, config: { ...unlimited, database: { max_connections: 6 } } })
  beforeAll(async () => {
    redis = await startTestRedis()
    first = await startHinted()
    second = await startHinted()
    plain = await startPlain()
    proposer = await first.caller('service', 'crm')
    agents = await Promise.all(Array.from({ length: 9 }, (_, n) => first.caller('agent', `agent-${n}`)))
  })
  afterAll(async () => {
    await plain?.stop()
    await second?.stop()
    await first?.stop()
    await redis?.stop()
  })
  beforeEach(() => redis.client.flushAll())

  async function propose(count: number): Promise<string> {
    const titles = Array.from({ length: count }, (_, n) => `essay ${n}`)
    return (await proposer.post('/propose', { type: 'test.essay', payload: { titles } })).body.order.id as string
  }
  const isBack = () => until(async () => (await first.manager.doctor()).find(({ check }) => check === 'redis')?.ok, 'Redis answers again')

  interface Seen {
    readonly item: string
    readonly token: string
  }
  /** One agent at work until the queue is empty: some heartbeats, then a result, and now and then it gives the item back instead. */
  async function work(callerNow: () => Caller, held: Map<string, string>, handedIn: Seen[], step: () => Promise<void>): Promise<void> {
    for (let turn = 0; ; turn++) {
      const { body, status } = await callerNow().post('/checkout', {}, { key: null })
      if (status === 404 || status === 409) return
      expect(status).toBe(200)
      const { id, lease_token: token } = body.item as { id: string; lease_token: string }
      // No lease of anybody is live for an item that is handed out.
      expect(held.get(id)).toBeUndefined()
      held.set(id, token)
      for (let n = 0; n < 4; n++) {
        const beat = await callerNow().post(`/items/${id}/heartbeat`, { lease_token: token }, { key: null })
        expect(beat.status, beat.text).toBe(200)
        await step()
      }
      held.delete(id)
      if (turn % 5 === 4) {
        const released = await callerNow().post(`/items/${id}/release`, { lease_token: token })
        expect(released.status, released.text).toBe(200)
        // Whoever is behind its lease is refused, whatever Redis remembers.
        expect((await callerNow().post(`/items/${id}/submit`, { lease_token: token, result: essay })).status).toBe(409)
        continue
      }
      const submitted = await callerNow().post(`/items/${id}/submit`, { lease_token: token, result: essay })
      expect(submitted.status, submitted.text).toBe(202)
      handedIn.push({ item: id, token })
    }
  }
  /** Nine agents take 60 items to the end, at all three servers, while `fault` comes again and again. */
  async function underLoad(fault: (n: number) => Promise<void>, servers: () => TestServer[] = () => [first, second, plain]): Promise<void> {
    const orders = await Promise.all([propose(20), propose(20), propose(20)])
    const held = new Map<string, string>()
    const handedIn: Seen[] = []
    let steps = 0
    let faults = 0
    let striking = Promise.resolve()
    // A fault about every 25 heartbeats: in the middle of things, wherever those happen to be.
    const step = async (): Promise<void> => {
      if (++steps % 25 === 0) striking = striking.then(() => fault(faults++))
    }
    let asked = 0
    await Promise.all(
      agents.map((agent) =>
        work(
          () => {
            const now = servers()
            return createCaller(now[asked++ % now.length]!.url, agent.key, agent.id)
          },
          held,
          handedIn,
          step,
        ),
      ),
    )
    await striking
    expect(faults).toBeGreaterThan(3)
    // An item that was given back too often is set aside, not lost.
    const [counts] = await first.database.sql<{ all: number; submitted: number; failed: number }>(
      `select count(*)::int as all, count(*) filter (where state = 'submitted')::int as submitted, count(*) filter (where state = 'failed')::int as failed
         from wm.items where order_id = any($1)`,
      [orders],
    )
    expect(counts!.all).toBe(60)
    expect(counts!.submitted + counts!.failed).toBe(60)
    expect(new Set(handedIn.map(({ item }) => item)).size).toBe(counts!.submitted)
    expect(await contradictionsIn(first.database)).toEqual([])
  }

  it('FLUSHALL, keys and scripts deleted by hand', async () => {
    await underLoad(async (n) => {
      if (n % 3 === 0) await redis.client.flushAll()
      else if (n % 3 === 1) await redis.client.scriptFlush()
      else for (const key of await redis.client.keys('work:*')) if (Math.random() < 0.5) await redis.client.del(key)
    })
  })

  it('kill -9 and an empty Redis in its place', async () => {
    await underLoad(async () => {
      await redis.kill()
      await redis.start()
    })
    await isBack()
  })

  it('a paused Redis', async () => {
    await underLoad(async (n) => (n % 2 === 0 ? redis.pause() : redis.resume()))
    redis.resume()
    await isBack()
  })

  it('a Redis that refuses to write', async () => {
    await underLoad(
      async (n) => void (await redis.client.sendCommand(n % 2 === 0 ? ['REPLICAOF', '127.0.0.1', '1'] : ['REPLICAOF', 'NO', 'ONE'])),
    )
    await redis.client.sendCommand(['REPLICAOF', 'NO', 'ONE'])
  })

  it('the backend changed process by process', async () => {
    let servers = [first, second, plain]
    const extra: TestServer[] = []
    await underLoad(
      async (n) => {
        if (n > 1) return
        const next = n % 2 === 0 ? await startPlain() : await startHinted()
        extra.push(next)
        servers = n % 2 === 0 ? [second, plain, next] : [first, next]
      },
      () => servers,
    )
    for (const server of extra) await server.stop()
  })

  it('an agent that beats every third of its time keeps its lease, however often Redis loses what it was told', async () => {
    await propose(1)
    const [robin] = agents
    const { body } = await robin!.post('/checkout', {}, { key: null })
    const { id, lease_token: token } = body.item as { id: string; lease_token: string }
    const beat = () => robin!.post(`/items/${id}/heartbeat`, { lease_token: token }, { key: null })
    expect((await beat()).status).toBe(200)
    for (let n = 0; n < 12; n++) {
      // A third of the time passes, for the database and for what Redis noted.
      await first.database.sql(
        `update wm.items set lease_expires_at = lease_expires_at - make_interval(secs => lease_ttl_seconds / 3.0) where id = $1`,
        [id],
      )
      for (const note of await redis.client.keys(`*${id}`)) {
        const { until: end, ttl } = await redis.client.hGetAll(note)
        await redis.client.hSet(note, 'until', String(Math.round(Number(end) - Number(ttl) / 3)))
      }
      const answer = await beat()
      expect(answer.status, `beat ${n}: ${answer.text}`).toBe(200)
      // Lost before the database could hear of it: with the note, or without.
      if (n % 4 === 3) await redis.client.flushAll()
      else await redis.client.del('work:5:lease,5:dirty')
    }
    expect((await robin!.post(`/items/${id}/submit`, { lease_token: token, result: essay })).status).toBe(202)
  })
})
