import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echoType } from '../../../server/testing/echo-type.ts'
import { essay, essayType } from '../../../server/testing/essay-type.ts'
import { startTestServer, type TestServer } from '../../../server/testing/test-server.ts'
import { watchAgent, type WatchedAgent } from '../../testing/watch-agent.ts'
import { createClient, isWorkError, runAgent, type Handler, type WorkManagerClient } from '../index.ts'

let server: TestServer
let client: WorkManagerClient
let as: { url: string; key: string }

beforeAll(async () => {
  server = await startTestServer({
    types: [echoType, essayType, { ...echoType, type: 'test.nothing' }],
    config: { lease: { heartbeat_every_seconds: 1 } },
  })
  client = createClient({ url: server.url, key: (await server.caller('person', 'ada')).key })
  as = { url: server.url, key: (await server.caller('agent', 'echoer')).key }
})
afterAll(() => server?.stop())

const propose = async (...messages: string[]): Promise<string> =>
  (await client.proposeOrder({ type: 'test.echo', payload: { messages } })).order.id
const stateOf = async (order: string): Promise<string> => (await client.getOrder({ order })).order.state
const echo: Handler<{ message: string }> = ({ item }) => ({ result: { echoed: item.input.message, ok: true } })

describe('an agent', () => {
  it('works until it is told to stop, and reports what it does', async () => {
    const order = await propose('one', 'two')
    const agent = watchAgent({ ...as, types: ['test.echo'], handler: echo })
    await agent.seen('submitted', 2)
    await agent.seen('idle')
    expect(await agent.stop()).toEqual({ checkedOut: 2, submitted: 2, refused: 0, failed: 0, leaseLost: 0, released: 0 })
    expect(agent.events.map((event) => event.kind).filter((kind) => kind !== 'idle')).toEqual([
      'checked_out',
      'submitted',
      'checked_out',
      'submitted',
    ])
    expect(await stateOf(order)).toBe('submitted')
  })

  it('hands in evidence and notes with the result', async () => {
    const order = await propose('with proof')
    const evidence = [{ url: 'https://example.org/', quote: 'with proof' }]
    await runAgent<{ message: string }>({
      ...as,
      order,
      waitSeconds: 0,
      stopWhenIdle: true,
      handler: ({ item }) => ({ result: { echoed: item.input.message, ok: true }, evidence, notes: 'sure' }),
    })
    const { data } = await client.listItems({ order })
    const { submissions } = await client.getItem({ item: data[0]!.id })
    expect(submissions).toMatchObject([{ evidence, notes: 'sure' }])
  })

  it('keeps the lease alive in the background and on demand', async () => {
    const order = await propose('slow')
    let finish!: () => void
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const agent = watchAgent<{ message: string }>({
      ...as,
      order,
      async handler(context) {
        await context.heartbeat()
        context.log('waiting', { for: 'the test' })
        await finished
        return echo(context)
      },
    })
    const before = (await agent.seen('checked_out')).item.lease_expires_at
    const inBackground = await agent.seen('heartbeat', 3)
    expect(inBackground.leaseExpiresAt > before).toBe(true)
    expect(await agent.seen('log')).toMatchObject({ message: 'waiting', data: { for: 'the test' } })
    finish()
    await agent.seen('submitted')
    await agent.stop()
  })

  it('works on as many items at once as it is told, and no more', async () => {
    const order = await propose('a', 'b', 'c', 'd', 'e')
    let running = 0
    let most = 0
    let open!: () => void
    const gate = new Promise<void>((resolve) => (open = resolve))
    const agent = watchAgent<{ message: string }>({
      ...as,
      order,
      concurrency: 3,
      async handler(context) {
        most = Math.max(most, ++running)
        await gate
        running--
        return echo(context)
      },
    })
    await agent.seen('checked_out', 3)
    // A fourth checkout would come at once: five items are ready. Heartbeats of all three prove that it had the time.
    await agent.seen('heartbeat', 6)
    expect((await client.listItems({ order })).data.map((item) => item.state).sort()).toEqual([
      'in_progress',
      'in_progress',
      'in_progress',
      'queued',
      'queued',
    ])
    open()
    await agent.seen('submitted', 5)
    await agent.stop()
    expect(most).toBe(3)
  })

  it('of several types takes each, and of others none', async () => {
    const order = await propose('mine')
    const { order: other } = await client.proposeOrder({ type: 'test.essay', payload: { titles: ['One'] } })
    const done: string[] = []
    const stopWhenIdle = { ...as, waitSeconds: 0, stopWhenIdle: true }
    await runAgent({
      ...stopWhenIdle,
      types: ['test.nothing', 'test.essay'],
      handler: ({ item }) => (done.push(item.type), { result: essay }),
    })
    expect(done).toEqual(['test.essay'])
    await runAgent<{ message: string }>({ ...stopWhenIdle, types: ['test.nothing', 'test.echo', 'test.essay'], handler: echo })
    expect([await stateOf(order), await stateOf(other.id)]).toEqual(['submitted', 'submitted'])
  })

  it('ends with the refusal when its key does not work, and takes nothing', async () => {
    const error: unknown = await runAgent({ url: server.url, key: 'wm_a_unknown', handler: () => ({ result: {} }) }).catch(
      (one: unknown) => one,
    )
    expect(isWorkError(error) && error.status).toBe(401)
  })

  it('finishes what it holds before it ends with a refusal', async () => {
    const order = await propose('held', 'left')
    const powerless = (await server.caller('agent', 'looker', { abilities: ['work:view'] })).key
    const agent: WatchedAgent = watchAgent<{ message: string }>({
      ...as,
      order,
      concurrency: 2,
      // The second checkout comes with a key that may not: as if the ability had been taken away meanwhile.
      fetch: (input, init) => {
        const isSecond = (input as string).endsWith('/checkout') && agent.events.length > 0
        const headers = { ...(init!.headers as Record<string, string>), ...(isSecond && { authorization: `Bearer ${powerless}` }) }
        return fetch(input, { ...init, headers })
      },
      async handler(context) {
        await agent.seen('draining')
        return echo(context)
      },
    })
    await expect(agent.done).rejects.toMatchObject({ code: 'scope_missing' })
    expect(agent.events.map((event) => event.kind)).toEqual(['checked_out', 'draining', 'submitted'])
  })

  it.each([
    [{ concurrency: 0 }, /concurrency must be a number from 1/],
    [{ concurrency: 1.5 }, /concurrency/],
    [{ waitSeconds: 61 }, /waitSeconds/],
    [{ handler: undefined as unknown as Handler }, /handler must be a function/],
    [{ order: '01890a5d-ac96-774b-bcce-b302099a8057', types: ['test.echo'] }, /order already says/],
  ])('refuses options that cannot work: %j', async (options, message) => {
    await expect(runAgent({ ...as, handler: () => ({ result: {} }), ...options })).rejects.toThrow(message)
  })
})

describe('an agent that stops when there is nothing to do', () => {
  it('asks and does not wait for something to come, unless it is told to', async () => {
    const waits: unknown[] = []
    const fetch: typeof globalThis.fetch = (input, init) => {
      if ((input as string).endsWith('/checkout')) waits.push((JSON.parse(init?.body as string) as { wait: unknown }).wait)
      return globalThis.fetch(input, init)
    }
    const order = await propose('one', 'two')
    expect(await runAgent({ ...as, fetch, order, stopWhenIdle: true, handler: echo as Handler })).toMatchObject({ submitted: 2 })
    expect(waits).toEqual([0, 0, 0])
    await runAgent({ ...as, fetch, types: ['test.essay', 'test.echo'], stopWhenIdle: true, handler: echo as Handler })
    expect(waits.every((wait) => wait === 0)).toBe(true)
    await runAgent({ ...as, fetch, order, stopWhenIdle: true, waitSeconds: 1, handler: echo as Handler })
    expect(waits.at(-1)).toBe(1)
  })

  it('stops with the end of its last item, whatever else it could hold at once', async () => {
    const order = await propose('one', 'two', 'three')
    const agent = watchAgent<{ message: string }>({ ...as, order, concurrency: 5, stopWhenIdle: true, waitSeconds: 0, handler: echo })
    expect(await agent.done).toMatchObject({ checkedOut: 3, submitted: 3 })
  })
})

it('a type that nobody knows ends the agent, with its name and the nearest one', async () => {
  for (const types of [['test.ecko'], ['test.essay', 'test.ecko']]) {
    const refused = await runAgent({ ...as, types, waitSeconds: 30, handler: () => ({ result: {} }) }).catch((error: unknown) => error)
    expect(isWorkError(refused, 'order_type_not_found') && refused.detail).toContain("did you mean 'test.echo'?")
  }
})
