import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineOrderType } from '../../../server/src/work/order-types/define-order-type.ts'
import { echoType } from '../../../server/testing/echo-type.ts'
import { startTestServer, type TestServer } from '../../../server/testing/test-server.ts'
import { startTcpProxy, type TcpProxy } from '../../testing/tcp-proxy.ts'
import { watchAgent } from '../../testing/watch-agent.ts'
import {
  createClient,
  isWorkError,
  PermanentError,
  PolicyError,
  TransientError,
  type Handler,
  type Part,
  type WorkManagerClient,
} from '../index.ts'

/** One part per chapter, in pieces; a piece in capitals is refused. */
const bookType = defineOrderType({
  type: 'test.book',
  payload: Type.Object({ chapters: Type.Array(Type.String(), { minItems: 1 }) }),
  input: Type.Object({ chapters: Type.Array(Type.String()) }),
  result: Type.Object({ text: Type.String() }),
  parts: {
    schemas: { '*': Type.Object({ text: Type.String() }) },
    required: ({ chapters }) => chapters,
    verify: [
      {
        name: 'no shouting',
        check: ({ payload }) => {
          const { text } = payload as { text: string }
          return text === text.toLowerCase() ? [] : [{ field: 'text', code: 'shouting', message: 'Write small letters.' }]
        },
      },
    ],
    assemble: (parts) => ({ text: parts.map((part) => (part.payload as { text: string }).text).join(' ') }),
  },
  plan: ({ payload }) => [{ input: { chapters: payload.chapters } }],
  apply: (context) => context.diff({}, {}),
})

let server: TestServer
let proxy: TcpProxy
let client: WorkManagerClient
let as: { url: string; key: string; waitSeconds: number; stopWhenIdle: boolean }

beforeAll(async () => {
  server = await startTestServer({ types: [echoType, bookType], config: { lease: { heartbeat_every_seconds: 1 } } })
  proxy = await startTcpProxy(server.url)
  client = createClient({ url: server.url, key: (await server.caller('person', 'ada')).key })
  as = { url: proxy.url, key: (await server.caller('agent', 'writer')).key, waitSeconds: 0, stopWhenIdle: true }
})
afterAll(async () => {
  await proxy?.close()
  await server?.stop()
})

async function propose(type: 'test.echo' | 'test.book', payload: object): Promise<{ order: string; item: string }> {
  const { order } = await client.proposeOrder({ type, payload })
  return { order: order.id, item: (await client.listItems({ order: order.id })).data[0]!.id }
}
const submissionsOf = async (item: string): Promise<{ result: unknown }[]> =>
  (await client.getItem({ item })).submissions as { result: unknown }[]

describe('parts', () => {
  it('of a generator are handed in one by one and put together', async () => {
    const { order, item } = await propose('test.book', { chapters: ['one', 'two'] })
    const agent = watchAgent<{ chapters: string[] }>({
      ...as,
      order,
      async *handler({ item: { input } }) {
        for (const key of input.chapters) for (const seq of [0, 1]) yield { key, seq, payload: { text: `${key}.${seq}` } }
        return { finalize: 'strict', notes: 'the end' }
      },
    })
    expect(await agent.done).toMatchObject({ submitted: 1 })
    expect(agent.events.filter((event) => event.kind === 'part_submitted')).toHaveLength(4)
    expect(await submissionsOf(item)).toMatchObject([{ result: { text: 'one.0 one.1 two.0 two.1' }, notes: 'the end' }])
  })

  it('of any async iterable will do, and of the part function too', async () => {
    const { order, item } = await propose('test.book', { chapters: ['one'] })
    const parts: AsyncIterable<Part, void> = {
      [Symbol.asyncIterator]: () => [{ key: 'one', payload: { text: 'iterated' } }].values() as unknown as AsyncIterator<Part, void>,
    }
    await watchAgent({ ...as, order, handler: () => parts }).done
    expect(await submissionsOf(item)).toMatchObject([{ result: { text: 'iterated' } }])

    const second = await propose('test.book', { chapters: ['one'] })
    await watchAgent({ ...as, order: second.order, handler: async ({ part }) => void (await part('one', { text: 'called' })) }).done
    expect(await submissionsOf(second.item)).toMatchObject([{ result: { text: 'called' } }])
  })

  it('a refused part is thrown into the generator, which may correct it', async () => {
    const { order, item } = await propose('test.book', { chapters: ['one'] })
    const agent = watchAgent({
      ...as,
      order,
      async *handler() {
        try {
          yield { key: 'one', payload: { text: 'LOUD' } }
        } catch (error) {
          if (!isWorkError(error, 'verification_failed')) throw error
          yield { key: 'one', payload: { text: error.errors[0]!.code } }
        }
      },
    })
    expect(await agent.done).toMatchObject({ submitted: 1, refused: 0 })
    expect(await submissionsOf(item)).toMatchObject([{ result: { text: 'shouting' } }])
  })

  it('a generator that is stopped by a lost part cleans up', async () => {
    const { order } = await propose('test.book', { chapters: ['one', 'two'] })
    let isClean = false
    const agent = watchAgent({
      ...as,
      order,
      maxCorrections: 0,
      async *handler() {
        try {
          yield { key: 'one', payload: [] }
        } finally {
          isClean = true
        }
      },
    })
    expect(await agent.done).toMatchObject({ failed: 1 })
    expect(isClean).toBe(true)
  })

  it('missing ones are a refusal that can be corrected', async () => {
    const { order, item } = await propose('test.book', { chapters: ['one', 'two'] })
    const agent = watchAgent({
      ...as,
      order,
      async *handler({ item: { last_error } }) {
        yield last_error === null ? { key: 'one', payload: { text: 'first' } } : { key: 'two', payload: { text: 'second' } }
      },
    })
    expect(await agent.done).toMatchObject({ submitted: 1, refused: 1 })
    expect(await submissionsOf(item)).toMatchObject([{ result: { text: 'first second' } }])
  })

  it('best effort goes without them', async () => {
    const { order, item } = await propose('test.book', { chapters: ['one', 'two'] })
    const handler: Handler = async ({ part }) => {
      await part('one', { text: 'all there is' })
      return { finalize: 'best_effort' }
    }
    await watchAgent({ ...as, order, handler }).done
    expect(await submissionsOf(item)).toMatchObject([{ result: { text: 'all there is' } }])
  })
})

describe('a refused hand-in', () => {
  it('lets the handler run again under the same lease, knowing why', async () => {
    const { order, item } = await propose('test.echo', { messages: ['hello'] })
    const tokens = new Set<string>()
    const agent = watchAgent<{ message: string }>({
      ...as,
      order,
      handler({ item: { input, last_error, lease_token } }) {
        tokens.add(lease_token)
        const { details = [] } = (last_error ?? {}) as { details?: { code: string }[] }
        return { result: { echoed: details[0]?.code === 'wrong_echo' ? input.message : 'invented', ok: true } }
      },
    })
    expect(await agent.done).toMatchObject({ checkedOut: 1, submitted: 1, refused: 1, failed: 0 })
    expect((await agent.seen('refused')).findings).toMatchObject([{ field: 'echoed', code: 'wrong_echo' }])
    expect(tokens.size).toBe(1)
    expect(await submissionsOf(item)).toMatchObject([{ result: { echoed: 'hello' } }])
  })

  it('goes to onRefused, with what was refused and why', async () => {
    const { order, item } = await propose('test.echo', { messages: ['hello'] })
    let runs = 0
    const agent = watchAgent<{ message: string }>({
      ...as,
      order,
      handler: () => (runs++, { result: { echoed: 'invented', ok: true } }),
      onRefused: ({ item: { input }, findings, refused, correction }) => {
        expect([findings[0]?.code, refused, correction]).toEqual(['wrong_echo', { result: { echoed: 'invented', ok: true } }, 1])
        return { result: { echoed: input.message, ok: true } }
      },
    })
    expect(await agent.done).toMatchObject({ submitted: 1 })
    expect(runs).toBe(1)
    expect(await submissionsOf(item)).toHaveLength(1)
  })

  it('counts as failed when it is not corrected often enough, or not at all', async () => {
    const wrong: Handler = () => ({ result: { echoed: 'invented', ok: true } })
    const { order } = await propose('test.echo', { messages: ['hello'] })
    const stubborn = watchAgent({ ...as, order, handler: wrong, maxCorrections: 1 })
    expect(await stubborn.done).toMatchObject({ refused: 2, failed: 1, submitted: 0 })
    expect(await stubborn.seen('failed')).toMatchObject({ class: 'agent', code: 'verification_failed' })

    const second = await propose('test.echo', { messages: ['hello'] })
    const helpless = watchAgent({ ...as, order: second.order, handler: wrong, onRefused: () => {} })
    expect(await helpless.done).toMatchObject({ refused: 1, failed: 1 })
  })
})

describe('a failure', () => {
  it.each([
    [
      'transient',
      new TransientError('The page does not answer.', { code: 'timeout', retryAfterSeconds: 3600, data: { url: 'https://example.org/' } }),
      { code: 'timeout', url: 'https://example.org/' },
      true,
    ],
    ['permanent', new PermanentError('There is no such page.'), { code: 'PermanentError', message: 'There is no such page.' }, false],
    ['policy', new PolicyError('Not allowed.', { code: 'robots' }), { code: 'robots' }, false],
    ['agent', new RangeError('out of \0 my\ud800 depth'), { code: 'RangeError', message: 'out of  my\ufffd depth' }, true],
    ['agent', 'just text', { code: 'Error', message: 'just text' }, true],
    ['agent', new Error(''), { code: 'Error', message: 'The agent gave no message.' }, true],
  ] as const)('is told as %s: %s', async (failureClass, thrown, error, willRetry) => {
    const { order, item } = await propose('test.echo', { messages: ['hello'] })
    const agent = watchAgent({
      ...as,
      order,
      handler() {
        throw thrown
      },
    })
    expect(await agent.done).toMatchObject({ failed: 1, submitted: 0 })
    expect(await agent.seen('failed')).toMatchObject({ class: failureClass, willRetry, error: thrown })
    expect((await client.getItem({ item })).item.error).toMatchObject({ ...error, class: failureClass })
  })

  it('a handler that gives nothing back is told what to do', async () => {
    const { order } = await propose('test.echo', { messages: ['hello'] })
    const agent = watchAgent({ ...as, order, handler: () => {} })
    await agent.done
    expect(await agent.seen('failed')).toMatchObject({ class: 'agent', message: expect.stringContaining('return { result }') })
  })

  it('a result that is no JSON is the agent’s failure', async () => {
    const { order } = await propose('test.echo', { messages: ['hello'] })
    const agent = watchAgent({ ...as, order, handler: () => ({ result: { echoed: 1n } }) })
    await agent.done
    expect(await agent.seen('failed')).toMatchObject({ class: 'agent', code: 'TypeError' })
  })
})

describe('a connection that breaks after the request was sent', () => {
  it.each([
    ['submit', 'test.echo', { messages: ['once'] }, () => ({ result: { echoed: 'once', ok: true } })],
    ['parts', 'test.book', { chapters: ['one'] }, async ({ part }) => void (await part('one', { text: 'once' }))],
    ['finalize', 'test.book', { chapters: ['one'] }, async ({ part }) => void (await part('one', { text: 'once' }))],
    [
      'heartbeat',
      'test.echo',
      { messages: ['once'] },
      async ({ heartbeat }) => (await heartbeat(), { result: { echoed: 'once', ok: true } }),
    ],
  ] as [string, 'test.echo' | 'test.book', object, Handler][])('during %s: it is applied once', async (verb, type, payload, handler) => {
    const { order, item } = await propose(type, payload)
    const before = proxy.requests.length
    proxy.loseAnswer(new RegExp(`POST \\S+/${verb} `))
    expect(await watchAgent({ ...as, order, handler }).done).toMatchObject({ checkedOut: 1, submitted: 1, leaseLost: 0, failed: 0 })
    expect(proxy.requests.slice(before).filter((line) => line.endsWith(`/${verb}`))).toHaveLength(2)
    expect(await submissionsOf(item)).toHaveLength(1)
    expect((await client.listParts({ item })).parts.map((part) => part.revision)).toEqual(type === 'test.book' ? [1] : [])
  })

  it('during fail: the attempt is counted once', async () => {
    const { order, item } = await propose('test.echo', { messages: ['once'] })
    proxy.loseAnswer(/POST \S+\/fail /)
    const agent = watchAgent({
      ...as,
      order,
      handler() {
        throw new PermanentError('no')
      },
    })
    expect(await agent.done).toMatchObject({ failed: 1, leaseLost: 0 })
    expect((await client.getItemLogs({ item })).events.filter((event) => event.kind === 'item.failed')).toHaveLength(1)
  })
})
