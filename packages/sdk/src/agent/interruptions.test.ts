/** What happens to an agent from outside: its lease is lost, its server goes away, it is told to stop. */
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineOrderType } from '../../../server/src/work/order-types/define-order-type.ts'
import { echoType } from '../../../server/testing/echo-type.ts'
import { essay, essayType } from '../../../server/testing/essay-type.ts'
import { expireLease } from '../../../server/testing/row-gate.ts'
import { createTestDatabase, type TestDatabase } from '../../../server/testing/test-database.ts'
import { startTestServer, type TestServer } from '../../../server/testing/test-server.ts'
import { startTcpProxy, type TcpProxy } from '../../testing/tcp-proxy.ts'
import { watchAgent } from '../../testing/watch-agent.ts'
import { createClient, LeaseLostError, type Handler, type WorkManagerClient } from '../index.ts'

/** Its leases last five seconds. */
const briefType = defineOrderType({
  type: 'test.brief',
  payload: Type.Object({}, { additionalProperties: true }),
  input: Type.Object({}),
  result: Type.Object({}),
  plan: () => [{ input: {}, leaseTtlSeconds: 5 }],
  apply: (context) => context.diff({}, {}),
})

let database: TestDatabase
let server: TestServer
let proxy: TcpProxy
let client: WorkManagerClient
let as: { url: string; key: string }

// Without background services, so that nothing happens to a lease but what the test does.
const start = (): Promise<TestServer> =>
  startTestServer({
    types: [echoType, essayType, briefType],
    database,
    background: false,
    config: { lease: { ttl_seconds: 60, heartbeat_every_seconds: 1 } },
  })

beforeAll(async () => {
  database = await createTestDatabase()
  server = await start()
  proxy = await startTcpProxy(server.url)
  client = createClient({ url: proxy.url, key: (await server.caller('person', 'ada')).key })
  as = { url: proxy.url, key: (await server.caller('agent', 'echoer')).key }
})
afterAll(async () => {
  await proxy?.close()
  await server?.stop()
  await database?.drop()
})

async function propose(...messages: string[]): Promise<{ order: string; item: string }> {
  const { order } = await client.proposeOrder({ type: 'test.echo', payload: { messages } })
  return { order: order.id, item: (await client.listItems({ order: order.id })).data[0]!.id }
}
const stateOf = async (item: string): Promise<string> => (await client.getItem({ item })).item.state
const submissionsOf = async (item: string): Promise<number> => (await client.getItem({ item })).submissions.length
const echo: Handler<{ message: string }> = ({ item }) => ({ result: { echoed: item.input.message, ok: true } })
const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => signal.addEventListener('abort', () => resolve()))

describe('a lost lease', () => {
  it.each([
    ['expired', 'lease_expired', (item: string, _order: string) => expireLease(database, item)],
    [
      'reclaimed',
      'lease_lost',
      async (item: string, _order: string) => {
        await expireLease(database, item)
        await server.run('lease-reclaimer')
      },
    ],
    ['cancelled with its order', 'lease_lost', (_item: string, order: string) => client.cancelOrder({ order, reason: 'no longer wanted' })],
  ])('%s: the handler is stopped and nothing is handed in', async (_, reason, lose) => {
    const { order, item } = await propose('hello')
    let reasonOfSignal: unknown
    const agent = watchAgent<{ message: string }>({
      ...as,
      order,
      async handler(context) {
        await aborted(context.signal)
        reasonOfSignal = context.signal.reason
        // It hands in all the same, as one does that does not look.
        return echo(context)
      },
    })
    await agent.seen('checked_out')
    const before = proxy.requests.length
    await lose(item, order)
    expect(await agent.seen('lease_lost')).toMatchObject({ reason })
    await agent.stop()
    expect(reasonOfSignal).toBeInstanceOf(LeaseLostError)
    expect(proxy.requests.slice(before).some((line) => /submit|fail|release/.test(line))).toBe(false)
    expect(await submissionsOf(item)).toBe(0)
  })

  it('is noticed by the handler’s own part at the latest', async () => {
    const { order } = await client.proposeOrder({ type: 'test.essay', payload: { titles: ['One'] } })
    const agent = watchAgent({
      ...as,
      order: order.id,
      async handler({ item, part }) {
        await expireLease(database, item.id)
        await part('body', essay.body)
      },
    })
    expect(await agent.seen('lease_lost')).toMatchObject({ reason: expect.stringMatching(/^lease_/) })
    expect(await agent.stop()).toMatchObject({ failed: 0, leaseLost: 1 })
  })

  it('a server that cannot be reached for as long as the lease lasts: stopped as well', async () => {
    const { order } = await client.proposeOrder({ type: 'test.brief', payload: { any: 'thing' } })
    const agent = watchAgent({ ...as, order: order.id, handler: async ({ signal }) => await aborted(signal) })
    const { item } = await agent.seen('checked_out')
    proxy.pointAt('http://127.0.0.1:9')
    expect(await agent.seen('lease_lost')).toMatchObject({ reason: 'unreachable' })
    expect(agent.events.some((event) => event.kind === 'trouble')).toBe(true)
    proxy.pointAt(server.url)
    await agent.stop()
    expect(await submissionsOf(item.id)).toBe(0)
  })
})

describe('a server that restarts', () => {
  it('while an item is worked on and handed in: the agent goes on', async () => {
    const { order } = await propose('before', 'after')
    let isDown!: () => void
    const down = new Promise<void>((resolve) => (isDown = resolve))
    const agent = watchAgent<{ message: string }>({
      ...as,
      order,
      async handler(context) {
        await down
        return echo(context)
      },
    })
    await agent.seen('checked_out')
    await server.stop()
    isDown()
    // The hand-in is tried in vain, more than once.
    const tried = proxy.requests.length
    await expect
      .poll(() => proxy.requests.slice(tried).filter((line) => line.endsWith('/submit')).length, { timeout: 10_000 })
      .toBeGreaterThan(1)
    server = await start()
    proxy.pointAt(server.url)
    await agent.seen('submitted', 2)
    expect(await agent.stop()).toMatchObject({ checkedOut: 2, submitted: 2, leaseLost: 0, failed: 0 })
    expect((await client.getOrder({ order })).order.state).toBe('submitted')
  })

  it('while the agent waits for work: it goes on asking', async () => {
    const agent = watchAgent<{ message: string }>({ ...as, types: ['test.echo'], retry: { attempts: 2, baseMs: 1 }, handler: echo })
    await agent.seen('idle')
    proxy.pointAt('http://127.0.0.1:9')
    expect(await agent.seen('trouble')).toMatchObject({ item: null })
    proxy.pointAt(server.url)
    await propose('hello')
    await agent.seen('submitted')
    await agent.stop()
  })
})

describe('an agent that is told to stop', () => {
  it('takes nothing more, and finishes what it holds', async () => {
    const { order, item } = await propose('held', 'left')
    const agent = watchAgent<{ message: string }>({
      ...as,
      order,
      async handler(context) {
        await agent.seen('draining')
        return echo(context)
      },
    })
    await agent.seen('checked_out')
    expect(await agent.stop()).toMatchObject({ checkedOut: 1, submitted: 1, released: 0 })
    expect(await stateOf(item)).toBe('submitted')
    expect((await client.listItems({ order, state: 'queued' })).data).toHaveLength(1)
  })

  it('gives back what is not finished in time: the next agent has it at once', async () => {
    const { order, item } = await propose('held')
    let isStopped = false
    const agent = watchAgent({
      ...as,
      order,
      drainSeconds: 0,
      async handler({ signal }) {
        await aborted(signal)
        isStopped = true
        return { result: { echoed: 'half', ok: false } }
      },
    })
    await agent.seen('checked_out')
    expect(await agent.stop()).toMatchObject({ submitted: 0, released: 1, leaseLost: 0 })
    expect([isStopped, await stateOf(item), await submissionsOf(item)]).toEqual([true, 'queued', 0])
  })

  it('gives back even what a handler does not let go of', async () => {
    const { order, item } = await propose('held')
    const agent = watchAgent({ ...as, order, drainSeconds: 0, handler: () => new Promise<void>(() => {}) })
    await agent.seen('checked_out')
    expect(await agent.stop()).toMatchObject({ released: 1 })
    expect(await stateOf(item)).toBe('queued')
  })
})
