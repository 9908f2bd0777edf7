/** What the relay promises whatever the receiver: fair over tenants, one process per cursor, no gap, nothing parked for a receiver's weakness. */
import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { uuidv7 } from 'uuidv7'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  expireCursorLeases,
  openStage,
  orderEvent,
  someSettings,
  type Stage,
  type StagePublisher,
} from '../../../testing/publisher-stage.ts'
import type { Metrics } from '../../metrics/metrics.ts'
import { moveCursor } from './admin.store.ts'
import { delivered, type Message, type Outcome, PublishError, type Publisher, refused } from './publisher.ts'

let stage: Stage
let directory: string
beforeAll(async () => {
  stage = await openStage()
  directory = await mkdtemp(path.join(tmpdir(), 'work-manager-relay-'))
})
afterAll(async () => {
  await stage.stop()
  await rm(directory, { recursive: true })
})

/** A receiver in this process: what it got, and what it says to each message. */
function receiver(answer: (message: Message, messages: readonly Message[]) => Outcome | Promise<Outcome> = () => delivered) {
  const got: Message[] = []
  const create = (): Publisher => ({
    async open() {},
    async publish(messages) {
      const outcomes: Outcome[] = []
      for (const message of messages) {
        const outcome = await answer(message, messages)
        if (outcome.is === 'delivered') got.push(message)
        outcomes.push(outcome)
      }
      return outcomes
    },
    async close() {},
  })
  return { got, create }
}
const seqs = (messages: readonly Message[], tenant: string) => messages.filter((one) => one.tenantId === tenant).map(({ seq }) => seq)
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)
const events = (n: number, order: string = uuidv7()) => Array.from({ length: n }, () => orderEvent(order))
/** Drops what earlier tests left, so that a relay has the tenants of its test only. */
beforeEach(async () => {
  await stage.database.sql(
    'delete from wm.publisher_cursors; delete from wm.parked_messages; delete from wm.publisher_states; delete from wm.ledger_heads',
  )
})

describe('a batch', () => {
  it('ends where its bytes do: changes of a megabyte are not gathered by the dozen', async () => {
    const tenant = await stage.tenant()
    const large = Array.from({ length: 5 }, () => orderEvent(uuidv7(), { payload: { text: 'x'.repeat(900_000) } }))
    await stage.write(tenant, ...large, ...events(3))
    const sizes: number[] = []
    const { got, create } = receiver((message, batch) => {
      if (message === batch[0]) sizes.push(batch.length)
      return delivered
    })
    await stage.drain(stage.relay(create, { batchSize: 10 }), 'test')
    expect(seqs(got, tenant)).toEqual(upTo(8))
    expect(sizes).toEqual([2, 2, 4])
  })
})

describe('tenants', () => {
  it('take turns: a long queue does not stop a short one', async () => {
    const [busy, quiet] = [await stage.tenant(), await stage.tenant()]
    await stage.write(busy, ...events(400))
    await stage.write(quiet, ...events(3))
    const { got, create } = receiver()
    const relay = stage.relay(create, { batchSize: 10 })
    for (let n = 0; n < 2; n++) await relay.run()
    expect(seqs(got, quiet)).toEqual([1, 2, 3])
    expect(seqs(got, busy)).toEqual(upTo(10))
    await stage.drain(relay, 'test')
    expect(seqs(got, busy)).toEqual(upTo(400))
  })

  it('whose messages fail hold up themselves only, and nothing is parked', async () => {
    const [unlucky, lucky] = [await stage.tenant(), await stage.tenant()]
    await stage.write(unlucky, ...events(5))
    await stage.write(lucky, ...events(30))
    let healed = false
    const { got, create } = receiver((message) =>
      message.tenantId === unlucky && !healed ? { is: 'failed', error: new PublishError('failed', 'no') } : delivered,
    )
    const relay = stage.relay(create, { batchSize: 10 })
    while (seqs(got, lucky).length < 30) await relay.run()
    expect(seqs(got, unlucky)).toEqual([])
    expect(await stage.cursor(unlucky, 'test')).toMatchObject({ seq: 0, last_error: 'no' })
    expect(await stage.parked(unlucky, 'test')).toEqual([])
    healed = true
    await stage.drain(relay, 'test')
    expect(seqs(got, unlucky)).toEqual(upTo(5))
  })
})

describe('a refused message', () => {
  it('holds back its order only, is parked after its tries, and its neighbours come once', async () => {
    const tenant = await stage.tenant()
    const [poisoned, other] = [uuidv7(), uuidv7()]
    await stage.write(tenant, orderEvent(poisoned), orderEvent(other), orderEvent(poisoned), orderEvent(other))
    const counts: Record<string, number> = {}
    const metrics: Metrics = { increment: (name, _, by = 1) => void (counts[name] = (counts[name] ?? 0) + by), set() {}, observe() {} }
    const blocked = new Set<string>()
    const { got, create } = receiver((message, batch) => {
      if (message === batch[0]) blocked.clear()
      if (blocked.has(message.key)) return { is: 'held' }
      if (message.seq !== 1) return delivered
      blocked.add(message.key)
      return refused('too large')
    })
    const relay = stage.relay(create, { maxTries: 3 }, metrics)
    await relay.run()
    expect(await stage.cursor(tenant, 'test')).toMatchObject({ seq: 0, ahead: ['2', '4'] })
    expect(await stage.parked(tenant, 'test')).toMatchObject([{ seq: 1, state: 'trying', tries: 1 }])
    await stage.drain(relay, 'test')
    expect(await stage.parked(tenant, 'test')).toMatchObject([{ seq: 1, state: 'parked', tries: 3, reason: 'too large' }])
    expect(seqs(got, tenant)).toEqual([2, 4, 3])
    expect(counts).toMatchObject({ publisher_published_total: 3, publisher_parked_total: 1 })
    expect(await stage.cursor(tenant, 'test')).toMatchObject({ seq: 4, ahead: [] })
  })

  it('that is taken at the second try leaves nothing behind', async () => {
    const tenant = await stage.tenant()
    await stage.write(tenant, ...events(2))
    let tries = 0
    const { got, create } = receiver((message) =>
      message.seq === 1 && ++tries === 1 ? refused('no queue') : tries < 2 ? { is: 'held' } : delivered,
    )
    await stage.drain(stage.relay(create), 'test')
    expect(seqs(got, tenant)).toEqual([1, 2])
    expect(await stage.parked(tenant, 'test')).toEqual([])
  })
})

describe('several processes', () => {
  it('share the work: every message comes once, each order in order', async () => {
    const tenants = await Promise.all(upTo(4).map(() => stage.tenant()))
    for (const tenant of tenants) {
      const orders = [uuidv7(), uuidv7(), uuidv7()]
      await stage.write(tenant, ...upTo(60).map((n) => orderEvent(orders[n % 3]!)))
    }
    const { got, create } = receiver()
    const relays = [stage.relay(create, { batchSize: 7 }), stage.relay(create, { batchSize: 7 })]
    await Promise.all(relays.map((relay) => stage.drain(relay, 'test')))
    for (const tenant of tenants) expect(seqs(got, tenant)).toEqual(upTo(60))
  })

  it('while one is at work on a tenant, another leaves that tenant alone and serves the next', async () => {
    const [mine, free] = [await stage.tenant(), await stage.tenant()]
    await stage.write(mine, ...events(2))
    const gate = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const slow = receiver(async () => {
      reached.resolve()
      await gate.promise
      return delivered
    })
    const pass = stage.relay(slow.create, { timeoutMs: 20_000 }).run()
    await reached.promise
    await stage.write(free, ...events(2))
    const { got, create } = receiver()
    const other = stage.relay(create)
    while ((await other.run()).more) continue
    gate.resolve()
    await pass
    expect(seqs(got, free)).toEqual([1, 2])
    expect(seqs(got, mine)).toEqual([])
    expect(seqs(slow.got, mine)).toEqual([1, 2])
  })

  it('a paused one that comes back writes nothing over the one that took its place', async () => {
    const tenant = await stage.tenant()
    await stage.write(tenant, ...events(3))
    const gate = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const slow = receiver(async ({ seq }) => {
      if (seq === 3) {
        reached.resolve()
        await gate.promise
      }
      return delivered
    })
    const paused = stage.relay(slow.create, { timeoutMs: 20_000 }).run()
    await reached.promise
    await expireCursorLeases(stage)
    await stage.write(tenant, ...events(2))
    const { got, create } = receiver()
    await stage.drain(stage.relay(create), 'test')
    expect(seqs(got, tenant)).toEqual(upTo(5))
    gate.resolve()
    await paused
    expect(await stage.cursor(tenant, 'test')).toMatchObject({ seq: 5 })
  })
})

describe('a person who rewinds', () => {
  it('while a batch is under way is not overruled by it', async () => {
    const tenant = await stage.tenant()
    await stage.write(tenant, ...events(3))
    const gate = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    let first = true
    const { got, create } = receiver(async ({ seq }) => {
      if (first && seq === 3) {
        first = false
        reached.resolve()
        await gate.promise
      }
      return delivered
    })
    const relay = stage.relay(create, { timeoutMs: 20_000 })
    const pass = relay.run()
    await reached.promise
    await stage.store.app.transaction(tenant, (tx) => moveCursor(tx, 'test', 1))
    gate.resolve()
    await pass
    expect(await stage.cursor(tenant, 'test')).toMatchObject({ seq: 1 })
    await stage.drain(relay, 'test')
    expect(seqs(got, tenant)).toEqual([1, 2, 3, 2, 3])
  })
})

describe('a receiver that never answers', () => {
  let hole: ReturnType<typeof createServer>
  const sockets = new Set<Socket>()
  beforeAll(async () => {
    hole = createServer((socket) => sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1')
    await once(hole, 'listening')
  })
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    hole.close()
  })

  it('is closed at once when it is given up on: a client that tries until it is told to stop would outlive the server', async () => {
    const told = Promise.withResolvers<void>()
    const relay = stage.relay(
      () => ({
        open: () => told.promise,
        async publish() {
          return []
        },
        async close() {
          told.resolve()
        },
      }),
      { timeoutMs: 10 },
    )
    expect(await relay.run()).toEqual({ done: 0, more: false })
    await told.promise
    await relay.stop()
  })

  it.each(['nats', 'redis-streams', 'rabbitmq', 'sqs', 'kafka'] as const)('is given up on after the limit: %s', async (driver) => {
    process.env.AWS_ACCESS_KEY_ID = 'test'
    process.env.AWS_SECRET_ACCESS_KEY = 'test'
    const { port } = hole.address() as AddressInfo
    const at = `127.0.0.1:${port}`
    const stuck: StagePublisher = {
      driver,
      settings: {
        ...someSettings,
        timeoutMs: 150,
        nats: { ...someSettings.nats, url: `nats://${at}` },
        redis: { url: `redis://${at}`, stream: 's' },
        rabbitmq: { ...someSettings.rabbitmq, url: `amqp://${at}` },
        kafka: { ...someSettings.kafka, brokers: [at] },
        sqs: { queueUrl: `http://${at}/000000000000/a.fifo` },
        aws: { region: 'us-east-1', endpoint: `http://${at}` },
      },
    }
    const tenant = await stage.tenant()
    await stage.write(tenant, ...events(3))
    const file = path.join(directory, `${driver}.ndjson`)
    const healthy = stage.relay({ driver: 'file', settings: { ...someSettings, file: { path: file } } })
    const relay = stage.relay(stuck)
    const [stuckPass] = await Promise.all([relay.run(), stage.drain(healthy, 'file')])
    expect(stuckPass).toEqual({ done: 0, more: false })
    expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(4)
    expect(await stage.state(driver)).toMatchObject({ connected: false, error_code: 'unreachable' })
    expect(await stage.parked(tenant, driver)).toEqual([])
    await relay.stop()
  })

  it('does not keep the server from stopping', async () => {
    const { port } = hole.address() as AddressInfo
    const relay = stage.relay({
      driver: 'nats',
      settings: { ...someSettings, timeoutMs: 60_000, nats: { ...someSettings.nats, url: `nats://127.0.0.1:${port}` } },
    })
    const pass = relay.run()
    await relay.stop()
    await pass
  })
})

describe('the filter', () => {
  it('passes over other kinds, also many of them', async () => {
    const tenant = await stage.tenant()
    const order = uuidv7()
    await stage.write(
      tenant,
      ...upTo(30).map(() => orderEvent(order)),
      orderEvent(order, { kind: 'order.apply_failed' }),
      orderEvent(order, { kind: 'item.lease_expired' }),
      orderEvent(order, { kind: 'order.approved' }),
      ...upTo(5).map(() => orderEvent(order)),
    )
    const { got, create } = receiver()
    await stage.drain(stage.relay(create, { kinds: ['item.*', 'order.approved'], batchSize: 2 }), 'test')
    expect(got.map(({ kind }) => kind)).toEqual(['item.lease_expired', 'order.approved'])
    expect(await stage.cursor(tenant, 'test')).toMatchObject({ seq: 38 })
  })
})

it('carries the trace and the story of an event, and its numbers as they were written', async () => {
  const tenant = await stage.tenant()
  const trace = 'a'.repeat(32)
  await stage.write(tenant, {
    ...orderEvent(uuidv7()),
    payload: { price: 1.5 },
    actor: {
      actorType: 'agent',
      actorId: 'a',
      principal: 'agent:a',
      requestId: 'req-1',
      provenanceId: null,
      correlationId: 'story-0001',
      sessionKey: null,
      traceId: trace,
    },
  })
  const { got, create } = receiver()
  await stage.drain(stage.relay(create), 'test')
  const event = JSON.parse(got[0]!.body) as Record<string, string>
  expect(event).toMatchObject({
    correlationid: 'story-0001',
    source: 'urn:test',
    type: 'dev.workmanager.order.stale.v1',
    sequence: '0000000000000000001',
  })
  expect(event.traceparent).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`))
})
