import Type from 'typebox'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type TestServer } from '../../../testing/test-server.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'
import { within } from '../../kernel/time-limit.ts'

/** What an outside receiver saw, and how it answers; a test sets the answer. */
const calls: Array<{ name: string; key: string; input: unknown }> = []
let answer: (name: string, key: string) => unknown = () => ({ ticket: 7 })
const receive =
  (name: string) =>
  async (input: unknown, { key }: { key: string }) => {
    calls.push({ name, key, input })
    return answer(name, key)
  }

const notifying = defineOrderType({
  type: 'test.notifying',
  payload: Type.Object({ note: Type.String(), effects: Type.Array(Type.String()) }),
  result: Type.Object({ done: Type.Boolean() }),
  apply(context) {
    for (const name of context.order.payload.effects) context.effect(name, { note: context.order.payload.note })
    return context.diff({}, { note: context.order.payload.note })
  },
  async afterApply({ key, diff }) {
    await receive('after')(diff.after, { key })
  },
  effects: { safe: { deduplicates: true, run: receive('safe') }, once: { deduplicates: false, run: receive('once') } },
})

let story: Story
let second: TestServer
beforeAll(async () => {
  story = await startStory({ types: [notifying] })
  second = await startTestServer({ types: [notifying], background: false, database: story.server.database })
})
afterEach(() => {
  answer = () => ({ ticket: 7 })
})
afterAll(async () => {
  await second.stop()
  await story.server.stop()
})

const applied = async (effects: string[]) => {
  const order = await story.propose({ note: 'n', effects }, { type: 'test.notifying' })
  await story.submit(await story.take(order.id), { done: true })
  expect((await story.approve(order.id)).status).toBe(200)
  return order.id
}
const run = () => story.server.run('effect-runner')
const due = (id: string) =>
  story.server.database.sql(
    `update wm.effects set available_at = clock_timestamp() where order_id = $1 and state in ('pending', 'running')`,
    [id],
  )
const effect = async (id: string, name: string) => (await story.order(id)).effects.find((one: any) => one.name === name)
const callsFor = (id: string, name: string) => calls.filter((call) => call.key.includes(id) && call.name === name)

describe('effects', () => {
  it('are carried out once after the commit, with their receipt on the order and the record', async () => {
    const id = await applied(['safe', 'once', 'once'])
    expect(callsFor(id, 'once')).toEqual([])
    await run()
    await run()
    expect(callsFor(id, 'once').map((call) => call.key)).toEqual([`apply:${id}:1:once:1`, `apply:${id}:1:once:2`])
    expect(callsFor(id, 'safe')).toMatchObject([{ input: { note: 'n' } }])
    expect(await effect(id, 'safe')).toMatchObject({ state: 'delivered', attempts: 1, receipt: { ticket: 7 }, last_error: null })
    expect((await story.events(id, 'effect.delivered')).map((event) => String(event.payload.name)).sort()).toEqual([
      'after_apply',
      'once',
      'once',
      'safe',
    ])
  })

  it('are each carried out by one of two processes that run at once', async () => {
    const ids = await Promise.all([applied(['once', 'safe']), applied(['once', 'safe'])])
    await Promise.all([run(), second.run('effect-runner'), run(), second.run('effect-runner')])
    for (const id of ids) expect([callsFor(id, 'once').length, callsFor(id, 'safe').length]).toEqual([1, 1])
  })

  // A random backoff may be over before the run is: how often one run tries is left open, how it ends is not.
  const failing = (name: string, times: number, error: Error) => {
    let left = times
    answer = (called) => (called === name && left-- > 0 ? Promise.reject(error) : { ticket: 8 })
  }
  const runUntilDone = async (id: string, times: number) => {
    for (let n = 0; n < times; n++) {
      await due(id)
      await run()
    }
  }

  it('that may be repeated are retried with the same key until they are delivered', async () => {
    const id = await applied(['safe'])
    failing('safe', 2, new Error('503'))
    await runUntilDone(id, 3)
    const keys = callsFor(id, 'safe').map((call) => call.key)
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect(await effect(id, 'safe')).toMatchObject({ state: 'delivered', attempts: 3, receipt: { ticket: 8 } })
    expect((await story.events(id, 'effect.failed')).map((event) => event.payload)).toMatchObject(
      [1, 2].map((attempt) => ({ name: 'safe', attempt, error: { message: '503' } })),
    )
  })

  it('of unknown outcome that may not be repeated are shown to people and never repeated', async () => {
    const id = await applied(['once'])
    answer = (name) => (name === 'once' ? Promise.reject(new Error('socket hang up')) : null)
    await run()
    await due(id)
    await story.server.database.sql(`update wm.effects set available_at = clock_timestamp() where order_id = $1`, [id])
    await run()
    expect(callsFor(id, 'once')).toHaveLength(1)
    expect(await effect(id, 'once')).toMatchObject({ state: 'unknown', last_error: { message: 'socket hang up' } })
    expect(await story.events(id, 'effect.unknown')).toHaveLength(1)
    expect((await story.order(id)).state).toBe('completed')
  })

  it('that say that certainly nothing happened are retried even then', async () => {
    const id = await applied(['once'])
    failing('once', 1, Object.assign(new Error('refused'), { outcome: 'nothing_happened' }))
    await runUntilDone(id, 2)
    expect(callsFor(id, 'once')).toHaveLength(2)
    expect((await effect(id, 'once')).state).toBe('delivered')
  })

  it('whose runner vanished: repeated when the target ignores repeats, else unknown; a late runner cannot finish what was taken over', async () => {
    const id = await applied(['once', 'safe'])
    const gates = { once: Promise.withResolvers<void>(), safe: Promise.withResolvers<void>() }
    const reached = { once: Promise.withResolvers<void>(), safe: Promise.withResolvers<void>() }
    answer = async (name) => {
      if (name === 'after') return null
      reached[name as 'once'].resolve()
      await gates[name as 'once'].promise
      return { from: 'the vanished one' }
    }
    const lost = [run(), second.run('effect-runner')]
    await Promise.all([reached.once.promise, reached.safe.promise])
    answer = () => ({ from: 'the next one' })
    await story.server.database.sql(
      `update wm.effects set available_at = clock_timestamp() - interval '1 second' where order_id = $1 and state = 'running'`,
      [id],
    )
    await Promise.all([run(), second.run('effect-runner')])
    expect(await effect(id, 'once')).toMatchObject({ state: 'unknown', last_error: { code: 'runner_lost' } })
    expect(await effect(id, 'safe')).toMatchObject({ state: 'delivered', attempts: 2, receipt: { from: 'the next one' } })
    expect(await story.events(id, 'effect.unknown')).toHaveLength(1)
    gates.once.resolve()
    gates.safe.resolve()
    await Promise.all(lost)
    expect(await effect(id, 'once')).toMatchObject({ state: 'unknown' })
    expect(await effect(id, 'safe')).toMatchObject({ receipt: { from: 'the next one' } })
    expect([callsFor(id, 'once').length, callsFor(id, 'safe').length]).toEqual([1, 2])
  })

  it('taken over while the first runner still works are finished by the one that took over', async () => {
    const id = await applied(['safe'])
    const turns = ['first', 'next'].map((from) => ({ from, reached: Promise.withResolvers<void>(), gate: Promise.withResolvers<void>() }))
    let turn = 0
    answer = async (name) => {
      if (name !== 'safe') return null
      const { from, reached, gate } = turns[turn++]!
      reached.resolve()
      await gate.promise
      return { from }
    }
    const first = run()
    await turns[0]!.reached.promise
    await story.server.database.sql(
      `update wm.effects set available_at = clock_timestamp() - interval '1 second' where order_id = $1 and state = 'running'`,
      [id],
    )
    const next = second.run('effect-runner')
    await turns[1]!.reached.promise
    turns[0]!.gate.resolve()
    await first
    expect(await effect(id, 'safe')).toMatchObject({ state: 'running', receipt: null })
    turns[1]!.gate.resolve()
    await next
    expect(await effect(id, 'safe')).toMatchObject({ state: 'delivered', attempts: 2, receipt: { from: 'next' } })
    expect((await story.events(id, 'effect.delivered')).filter((event) => event.payload.name === 'safe')).toMatchObject([
      { payload: { receipt: { from: 'next' } } },
    ])
  })
})

it('afterApply that fails is retried and never undoes what was applied', async () => {
  const id = await applied([])
  let fails = true
  answer = () => {
    if (!fails) return null
    fails = false
    throw new Error('the cache is away')
  }
  await run()
  expect((await story.order(id)).state).toBe('completed')
  expect(await story.events(id, 'effect.failed')).toMatchObject([
    { payload: { name: 'after_apply', error: { message: 'the cache is away' } } },
  ])
  await due(id)
  await run()
  expect(callsFor(id, 'after').map((call) => call.input)).toEqual([{ note: 'n' }, { note: 'n' }])
  expect(await effect(id, 'after_apply')).toMatchObject({ state: 'delivered', attempts: 2 })
})

it('a call that ignores its signal is given up at its limit, and hears of it', async () => {
  let told: unknown
  await expect(
    within('the call', 20, (signal) => new Promise(() => signal.addEventListener('abort', () => (told = signal.reason)))),
  ).rejects.toThrow('the call took longer than 20 ms')
  expect(String(told)).toContain('took longer')
  await expect(within('the call', 1000, () => 7)).resolves.toBe(7)
})
