import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echoType } from '../../testing/echo-type.ts'
import { isInstalled, startTestRedis, type TestRedis } from '../../testing/peers/redis-server.ts'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'
import { type Answer, type Caller, startTestServer, type TestServer, until } from '../../testing/test-server.ts'

let database: TestDatabase
beforeAll(async () => void (database = await createTestDatabase()))
afterAll(() => database.drop())

const limits = { enabled: true, free_per_minute: 1, default_per_minute: 1_000_000, burst_seconds: 600 }
const quotaOfA = 10

async function startWith(url?: string): Promise<TestServer> {
  return startTestServer({ types: [echoType], database, config: { rate_limits: limits, ...(url ? { redis: { url } } : {}) } })
}

/** Calls until told to stop, from several connections at once; every answer is kept. */
function flood(calls: ReadonlyArray<() => Promise<Answer>>): { answers: Answer[]; stop(): Promise<void> } {
  const answers: Answer[] = []
  const state = { on: true }
  const running = calls.map(async (call) => {
    while (state.on) answers.push(await call())
  })
  return {
    answers,
    async stop() {
      state.on = false
      await Promise.all(running)
    },
  }
}

/** Takes and hands in every item of the order; the answers that were not as they should be. */
async function workOff(agent: Caller, count: number): Promise<Answer[]> {
  const odd: Answer[] = []
  const expectStatus = (answer: Answer, status: number): Answer => {
    if (answer.status !== status) odd.push(answer)
    return answer
  }
  for (let i = 0; i < count; i++) {
    const { item } = expectStatus(await agent.post('/checkout', { type: 'test.echo' }, { key: null }), 200).body
    expectStatus(await agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null }), 200)
    expectStatus(
      await agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { echoed: item.input.message, ok: true } }),
      202,
    )
  }
  return odd
}

describe('a tenant that floods', () => {
  it('gets its quota and then refusals with a time; the other tenant’s calls all succeed and it claims all its work', async () => {
    const server = await startWith()
    try {
      const noisy = await server.caller('service', 'noisy', { tenant: 'noisy' })
      await server.manager.keys.setTier('noisy', 'free')
      const proposer = await server.caller('service', 'p', { tenant: 'quiet' })
      const agent = await server.caller('agent', 'a', { tenant: 'quiet' })
      await proposer.post('/propose', { type: 'test.echo', payload: { messages: Array.from({ length: 20 }, (_, i) => `m${i}`) } })
      const attack = flood(
        Array.from(
          { length: 8 },
          (_, i) => () =>
            i % 2
              ? noisy.post('/propose', { type: 'test.echo', payload: { messages: ['x'] } })
              : noisy.post('/checkout', {}, { key: null }),
        ),
      )
      await until(async () => attack.answers.length > 100, 'the flood is under way')
      const odd = await workOff(agent, 20)
      await attack.stop()
      expect(odd.map((answer) => answer.text)).toEqual([])
      const passed = attack.answers.filter((answer) => answer.status !== 429)
      // The bucket, and what flows in while the test runs.
      expect(passed.length).toBeGreaterThanOrEqual(quotaOfA)
      expect(passed.length).toBeLessThanOrEqual(quotaOfA + 2)
      const refused = attack.answers.filter((answer) => answer.status === 429)
      expect(refused.length).toBeGreaterThan(50)
      expect(refused.every((answer) => Number(answer.headers.get('retry-after')) >= 1 && answer.body.code === 'rate_limited')).toBe(true)
    } finally {
      await server.stop()
    }
  })
})

describe.skipIf(!(await isInstalled('redis-server')))('with Redis', () => {
  let redis: TestRedis
  beforeAll(async () => void (redis = await startTestRedis()))
  afterAll(() => redis.stop())

  it('two servers share the limits of a principal', async () => {
    const [one, two] = [await startWith(redis.url), await startWith(redis.url)]
    try {
      const caller = await one.caller('service', 'shared', { tenant: 'shared' })
      await one.manager.keys.setTier('shared', 'free')
      const send = (to: TestServer) => fetch(`${to.url}/api/work/types`, { headers: { authorization: `Bearer ${caller.key}` } })
      const all = await Promise.all(Array.from({ length: 40 }, (_, i) => send(i % 2 ? one : two)))
      expect(all.filter((response) => response.status === 200)).toHaveLength(quotaOfA)
      expect(all.filter((response) => response.status === 429)).toHaveLength(30)
      for (const response of all) expect(response.headers.get('x-ratelimit-limit')).toBe('10')
    } finally {
      await one.stop()
      await two.stop()
    }
  })

  it('killed, emptied, paused and back while requests run: no answer fails, and the limits go on counting', async () => {
    const server = await startWith(redis.url)
    try {
      const agent = await server.caller('agent', 'a', { tenant: 'steady' })
      const noisy = await server.caller('agent', 'b', { tenant: 'loud' })
      await server.manager.keys.setTier('loud', 'free')
      const [steady, loud] = [agent, noisy].map((caller) => flood(Array.from({ length: 4 }, () => () => caller.get('/types'))))
      const more = async (what: string) => {
        const from = [steady!.answers.length, loud!.answers.length]
        await until(async () => steady!.answers.length > from[0]! + 30 && loud!.answers.length > from[1]! + 30, what)
      }
      const steps: Array<[string, () => unknown]> = [
        ['at first', () => {}],
        ['after FLUSHALL', () => redis.client.flushAll()],
        ['killed', () => redis.kill()],
        ['started again', () => redis.start()],
        ['paused', () => redis.pause()],
        ['resumed', () => redis.resume()],
      ]
      for (const [what, step] of steps) {
        await step()
        await more(what)
      }
      await Promise.all([steady!.stop(), loud!.stop()])
      expect(new Set(steady!.answers.map((answer) => answer.status))).toEqual(new Set([200]))
      const passed = loud!.answers.filter((answer) => answer.status === 200).length
      expect(loud!.answers.filter((answer) => answer.status === 429)).toHaveLength(loud!.answers.length - passed)
      // A full bucket at first, of this process alone, and at most each time that Redis lost its keys; and what flows in meanwhile.
      expect(passed).toBeGreaterThanOrEqual(2 * quotaOfA)
      expect(passed).toBeLessThanOrEqual(4 * quotaOfA + 4)
    } finally {
      await server.stop()
    }
  })
})
