/** Approving where the applier runs: applied at once in few round trips, answered from memory, the tenants in turn; the sweep takes the rest. */
import Type from 'typebox'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { listenToRoundTrips } from '../../../testing/round-trips.ts'
import { startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'
import { createApplies } from './applies.ts'

let act: (order: string) => unknown = () => undefined
const slow = defineOrderType({
  type: 'test.slow',
  payload: Type.Object({ note: Type.String() }),
  result: Type.Object({ answer: Type.String() }),
  async apply({ order, diff }) {
    await act(order.id)
    return diff({}, { note: 'applied' })
  },
})

const trips = listenToRoundTrips()
afterAll(() => trips.stop())

let story: Story
/** A second process on the same database, whose applier does not run. */
let second: TestServer
beforeAll(async () => {
  story = await startStory({ types: [slow] })
  second = await startTestServer({
    types: [slow],
    background: false,
    database: story.server.database,
    config: { approval: { wait_ms: 0 } },
  })
  story.server.manager.background.applier!.start()
})
beforeEach(() => {
  act = () => undefined
})
afterAll(async () => {
  await second.stop()
  await story.server.stop()
})

const full = async () => {
  const order = await story.propose({ note: 'n' }, { type: 'test.slow' })
  expect((await story.submit(await story.take(order.id), { answer: 'yes' })).status).toBe(202)
  return order.id
}
const kinds = async (id: string) => (await story.kinds(id)).filter((kind) => kind.startsWith('order.')).slice(-3)

describe('an approval where the applier runs', () => {
  it('is decided and applied in eight round trips at most, the type’s own aside, and its answer is kept with the change', async () => {
    // The first call of a server makes what later ones find.
    await story.reviewer.post(`/orders/${await full()}/approve`)
    const id = await full()
    let answer: Awaited<ReturnType<typeof story.reviewer.post>> | undefined
    const heard = await trips.during(async () => {
      answer = await story.reviewer.post(`/orders/${id}/approve`, {}, { key: `kept-${id}` })
    })
    expect(answer!.status, answer!.text).toBe(200)
    expect(answer!.body).toMatchObject({ order: { state: 'completed' }, diff: { after: { note: 'applied' } } })
    // By its id alone; who names the digest saves the second one.
    expect(heard).toEqual([
      'kept_answers',
      'order_to_judge',
      'order_shown',
      'approve_order',
      'begin read write',
      'begin_apply',
      'finish_apply',
      'commit',
    ])
    const again = await story.reviewer.post(`/orders/${id}/approve`, {}, { key: `kept-${id}` })
    expect([again.status, again.text]).toEqual([200, answer!.text])
    expect(JSON.parse(again.text)).toMatchObject({ order: await story.order(id).then(({ state, applied_at }) => ({ state, applied_at })) })
    expect(await kinds(id)).toEqual(['order.approved', 'order.applied', 'order.completed'])
  })

  it('answers with the order as it is read afterwards, whoever applied it', async () => {
    const [here, there] = [await full(), await full()]
    const ofHere = await story.reviewer.post(`/orders/${here}/approve`)
    const colleague = await second.caller('person', 'paul')
    expect((await colleague.post(`/orders/${there}/approve`, {}, { key: `there-${there}` })).status).toBe(202)
    const ofThere = await until(async () => {
      const seen = await story.order(there)
      return seen.state === 'completed' ? seen : undefined
    }, 'the sweep applies what another process approved')
    expect(Object.keys(ofHere.body.order)).toEqual(expect.arrayContaining(['id', 'state', 'payload', 'applied_at']))
    const read = await story.order(here)
    for (const [name, value] of Object.entries(ofHere.body.order)) {
      expect(read[name], name).toEqual(value)
      expect(ofThere, name).toHaveProperty(name)
    }
  })

  it('that fails says so, and the order waits for a person', async () => {
    const id = await full()
    act = () => Promise.reject(new Error('the target is closed'))
    const answer = await story.reviewer.post(`/orders/${id}/approve`)
    expect([answer.status, answer.body.code]).toEqual([422, 'apply_failed'])
    expect(await story.order(id)).toMatchObject({ state: 'submitted', last_apply_error: { code: 'apply_failed' } })
  })

  it('of a paused type waits for its end, and is applied then', async () => {
    const id = await full()
    expect((await story.reviewer.post('/pauses', { type: 'test.slow', reason: 'stop' })).status).toBe(200)
    const asked = story.reviewer.post(`/orders/${id}/approve`)
    await until(async () => (await story.order(id)).state === 'approved', 'it is approved')
    await story.reviewer.post('/pauses/lift', { type: 'test.slow', reason: 'go on' })
    expect((await asked).status).toBe(200)
    expect(await kinds(id)).toEqual(['order.approved', 'order.applied', 'order.completed'])
  })

  it('of eight people at once decides once and applies once', async () => {
    const id = await full()
    const people = await Promise.all(Array.from({ length: 8 }, (_, n) => story.server.caller('person', `person-${n}`)))
    const answers = await Promise.all(people.map((person) => person.post(`/orders/${id}/approve`)))
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409, 409, 409, 409, 409, 409, 409])
    expect(await kinds(id)).toEqual(['order.approved', 'order.applied', 'order.completed'])
  })

  it('several are applied at a time: a slow one holds up nobody', async () => {
    const [held, other] = [await full(), await full()]
    const gate = Promise.withResolvers<void>()
    const inside = Promise.withResolvers<void>()
    act = (order) => (order === held ? (inside.resolve(), gate.promise) : undefined)
    const waiting = story.reviewer.post(`/orders/${held}/approve`)
    await inside.promise
    expect((await story.reviewer.post(`/orders/${other}/approve`)).status).toBe(200)
    gate.resolve()
    expect((await waiting).status).toBe(200)
  })
})

it('a process that stops lets what it applies come to its end', async () => {
  const stopping = await startStory({ types: [slow], database: story.server.database })
  stopping.server.manager.background.applier!.start()
  const id = await full()
  const gate = Promise.withResolvers<void>()
  const inside = Promise.withResolvers<void>()
  act = () => (inside.resolve(), gate.promise)
  const asked = stopping.reviewer.post(`/orders/${id}/approve`)
  await inside.promise
  const stopped = stopping.server.stop()
  gate.resolve()
  await stopped
  expect((await asked).status).toBe(200)
  expect((await story.order(id)).state).toBe('completed')
})

describe('turns', () => {
  const done = { done: true, answer: null }

  it('no more at a time than told, and the tenants in turn', async () => {
    const applies = createApplies(2)
    const begun: string[] = []
    const gates = new Map<string, () => void>()
    const apply = (_tenant: string, order: string) => {
      begun.push(order)
      return new Promise<typeof done>((resolve) => gates.set(order, () => resolve(done)))
    }
    const all = [
      ...['a1', 'a2', 'a3', 'a4'].map((order) => applies.inTurn(apply, 'a', order, null)),
      applies.inTurn(apply, 'b', 'b1', null),
    ]
    const next = async (order: string) => {
      gates.get(order)!()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await new Promise((resolve) => setImmediate(resolve))
    expect(begun).toEqual(['a1', 'a2'])
    await next('a1')
    expect(begun).toEqual(['a1', 'a2', 'b1'])
    await next('a2')
    await next('b1')
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'a4'])
    await next('a3')
    await next('a4')
    await Promise.all(all)
  })

  it('an order is taken once, whoever asks for it; nothing is served by who stopped', async () => {
    const applies = createApplies(2)
    const key = null as never
    expect(applies.atOnce('a', 'x', key)).toBeNull()
    const gate = Promise.withResolvers<typeof done>()
    const apply = vi.fn(() => gate.promise)
    applies.serve(apply)
    const [one, two] = [applies.atOnce('a', 'x', key), applies.inTurn(apply, 'a', 'x', null)]
    expect(applies.isUnderWay('x')).toBe(true)
    gate.resolve(done)
    expect(await Promise.all([one, two])).toEqual([done, done])
    await applies.settled()
    expect(apply).toHaveBeenCalledTimes(1)
    expect(applies.isUnderWay('x')).toBe(false)
  })
})
