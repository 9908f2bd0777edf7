/** Publishers as people see and mend them, over HTTP, with a receiver that works (a file) and one that is away. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echoType } from '../../../testing/echo-type.ts'
import { freePort } from '../../../testing/peers/redis-server.ts'
import { type Caller, createCaller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'

let server: TestServer
let directory: string
let file: string
let agent: Caller
let person: Caller
let stranger: Caller

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'work-manager-publishers-'))
  file = path.join(directory, 'events.ndjson')
  server = await startTestServer({
    types: [echoType],
    background: false,
    config: { publishers: { use: ['file', 'nats'], file_path: file, nats_url: `nats://127.0.0.1:${await freePort()}` } },
  })
  agent = await server.caller('agent', 'agent-1')
  person = await server.caller('person', 'rita')
  stranger = await server.caller('person', 'sam', { tenant: 'other' })
})
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true })
})

const lines = async () => (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
const events = async () =>
  (await lines()).map((line) => JSON.parse(line) as { id: string; sequence: string; tenantid: string; data: unknown })
async function work(): Promise<void> {
  expect((await agent.post('/propose', { type: 'test.echo', payload: { messages: ['x'] } })).status).toBe(201)
  await server.run('sequencer')
}
const publishers = async (caller = person) =>
  Object.fromEntries((await caller.get('/publishers')).body.publishers.map((one: { publisher: string }) => [one.publisher, one]))
/** As if the receiver had refused it: a file refuses nothing. */
async function park(seq: number): Promise<void> {
  await server.database.sql(
    `insert into wm.parked_messages (tenant_id, publisher, seq, state, event_id, order_id, kind, reason, tries, first_refused_at, last_refused_at)
     select e.tenant_id, 'file', e.seq, 'parked', e.id, e.order_id, e.kind, 'too large', 5, now(), now()
       from record e join wm.tenants t on t.id = e.tenant_id
      where t.slug = 'acme' and e.seq = $1`,
    [seq],
  )
}

describe('publishers', () => {
  it('publish what the events list gives; one that is away shows its lag and stops nobody', async () => {
    await work()
    await server.run('publisher-nats')
    await server.run('publisher-file')
    const listed = (await person.get('/events')).body.events as Array<{ id: string }>
    const published = await events()
    expect(published.map(({ data }) => data)).toEqual(listed.toReversed())
    expect(await publishers()).toMatchObject({
      file: { state: 'current', lag_facts: 0, lag_seconds: 0, parked: 0, error: null },
      nats: { state: 'failing', seq: 0, lag_facts: published.length, error: 'NATS does not answer' },
    })
    expect((await publishers()).nats.lag_seconds).toBeGreaterThan(0)
  })

  it('are listed for the caller’s tenant only, and to nobody without the ability', async () => {
    expect(await publishers(stranger)).toMatchObject({ file: { seq: 0, head: 0, lag_facts: 0 }, nats: { lag_facts: 0 } })
    expect((await agent.get('/publishers')).status).toBe(403)
  })

  it('can be rewound, which publishes the same bytes again, and skipped, with an event that says who and why', async () => {
    await work()
    await server.run('publisher-file')
    const before = await lines()
    const back = await person.post('/publishers/file/cursor', { seq: 1, reason: 'the consumer lost its copy' })
    expect(back.body, back.text).toMatchObject({ publisher: 'file', from_seq: before.length, seq: 1, head: before.length })
    await server.run('sequencer')
    await server.run('publisher-file')
    const after = await lines()
    expect(after.slice(before.length, before.length * 2 - 1)).toEqual(before.slice(1))
    expect(JSON.parse(after.at(-1)!)).toMatchObject({
      type: 'dev.workmanager.publisher.cursor_moved.v1',
      data: { actor_id: 'rita', payload: { from_seq: before.length, seq: 1, reason: 'the consumer lost its copy' } },
    })
    const { head } = (await publishers()).nats
    expect((await person.post('/publishers/nats/cursor', { seq: head, reason: 'nobody reads it' })).status).toBe(200)
    expect((await publishers()).nats).toMatchObject({ seq: head, lag_facts: 0 })
  })

  it('refuse to be moved beyond the record, by an agent, or under a name that is none', async () => {
    expect((await person.post('/publishers/file/cursor', { seq: 1_000_000, reason: 'x' })).body).toMatchObject({
      code: 'validation_failed',
      detail: expect.stringMatching(/The record ends at \d+; 1000000 lies beyond it/),
    })
    const unknown = await person.post('/publishers/flie/cursor', { seq: 0, reason: 'x' })
    expect(unknown.body).toMatchObject({ status: 404, detail: expect.stringMatching(/did you mean file/) })
    const robot = await server.caller('service', 'robot', { abilities: ['admin:publishers'] })
    expect((await robot.post('/publishers/file/cursor', { seq: 0, reason: 'x' })).body).toMatchObject({ code: 'agents_cannot_decide' })
  })
})

describe('parked messages', () => {
  it('are listed page by page, and to their tenant only', async () => {
    for (const seq of [1, 2, 3]) await park(seq)
    const first = (await person.get('/parked-messages?publisher=file&limit=2')).body
    expect(first.messages).toMatchObject([{ seq: 1, state: 'parked', reason: 'too large', tries: 5 }, { seq: 2 }])
    const second = (await person.get(`/parked-messages?publisher=file&limit=2&cursor=${first.next_cursor}`)).body
    expect(second).toMatchObject({ messages: [{ seq: 3 }], next_cursor: null })
    expect((await stranger.get('/parked-messages')).body).toEqual({ messages: [], next_cursor: null })
    expect((await stranger.post('/parked-messages/retry', { publisher: 'file', reason: 'x' })).status).toBe(404)
    expect((await stranger.post('/parked-messages/discard', { publisher: 'file', seq: 1, reason: 'x' })).status).toBe(404)
    expect((await publishers()).file).toMatchObject({ parked: 3 })
  })

  it('come after a retry, each once, and are forgotten then', async () => {
    const before = (await events()).length
    expect((await person.post('/parked-messages/retry', { publisher: 'file', seq: 2, reason: 'mended' })).body).toEqual({
      publisher: 'file',
      messages: 1,
    })
    await server.run('publisher-file')
    const after = await events()
    expect(after.slice(before).filter(({ sequence }) => Number(sequence) === 2)).toHaveLength(1)
    expect((await person.get('/parked-messages')).body.messages.map(({ seq }: { seq: number }) => seq)).toEqual([1, 3])
    expect((await person.post('/parked-messages/retry', { publisher: 'file', seq: 2, reason: 'again' })).status).toBe(404)
  })

  it('can be given up, one by one, with a reason on the record', async () => {
    const { messages } = (await person.get('/parked-messages')).body
    const gone = await person.post('/parked-messages/discard', { publisher: 'file', seq: 3, reason: 'too large for ever' })
    expect(gone.body).toEqual({ publisher: 'file', seq: 3, event_id: messages[1].event_id })
    expect((await person.get('/events?kind=publisher.message_discarded')).body.events[0]).toMatchObject({
      actor_id: 'rita',
      payload: { publisher: 'file', seq: 3, refused_because: 'too large', reason: 'too large for ever' },
    })
    expect((await person.post('/parked-messages/retry', { publisher: 'file', reason: 'all the rest' })).body.messages).toBe(1)
  })
})

it('a running server publishes by itself, beside a receiver that is away, and two servers bring each event once', async () => {
  const both = path.join(directory, 'both.ndjson')
  const config = { publishers: { use: ['file', 'rabbitmq'], file_path: both, rabbitmq_url: `amqp://127.0.0.1:${await freePort()}` } }
  const one = await startTestServer({ types: [echoType], config })
  const two = await startTestServer({ types: [echoType], config, database: one.database })
  try {
    const callers = [await one.caller('agent', 'agent-1'), createCaller(two.url, (await one.caller('agent', 'agent-2')).key, 'agent-2')]
    for (let n = 0; n < 40; n++)
      expect((await callers[n % 2]!.post('/propose', { type: 'test.echo', payload: { messages: ['x'] } })).status).toBe(201)
    const published = await until(async () => {
      const found = (await readFile(both, 'utf8')).split('\n').filter((line) => line !== '')
      const [{ n }] = (await one.database.sql<{ n: number }>('select count(*)::int as n from record')) as [{ n: number }]
      return found.length >= n && found
    }, 'everything is in the file')
    expect(new Set(published.map((line) => (JSON.parse(line) as { id: string }).id)).size).toBe(published.length)
  } finally {
    await two.stop()
    await one.stop()
  }
})
