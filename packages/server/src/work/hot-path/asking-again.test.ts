import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { echoType } from '../../../testing/echo-type.ts'
import { type Caller, startTestServer, type TestServer } from '../../../testing/test-server.ts'
import { again, createBatcher } from '../../kernel/batching/batcher.ts'

let server: TestServer
let proposer: Caller
let agent: Caller

beforeAll(async () => {
  server = await startTestServer({ types: [echoType], background: false })
  proposer = await server.caller('service', 'crm')
  agent = await server.caller('agent', 'agent-1')
})
afterAll(() => server.stop())

it('a request that is answered with again goes out with the next batch, before those who came later', async () => {
  const batches: string[][] = []
  const ask = createBatcher<string, string>({
    lane: () => 'one',
    isCommon: () => false,
    maxBatch: 2,
    inFlightPerLane: 1,
    async run(requests) {
      batches.push([...requests])
      return requests.map((request) => (request === 'late' && batches.length === 1 ? again : request))
    },
  })
  expect(await Promise.all(['early', 'late', 'third', 'fourth'].map(ask))).toEqual(['early', 'late', 'third', 'fourth'])
  expect(batches).toEqual([['early', 'late'], ['late', 'third'], ['fourth']])
})

it('agents that ask at once for fewer items per order than they are all get one, from several orders', async () => {
  for (let n = 0; n < 6; n++) await proposer.post('/propose', { type: 'test.echo', payload: { messages: ['a', 'b'] } })
  const answers = await Promise.all(Array.from({ length: 12 }, () => agent.post('/checkout', {}, { key: null })))
  expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 12 }, () => 200))
  expect(new Set(answers.map((answer) => answer.body.item.id)).size).toBe(12)
  expect((await agent.post('/checkout', {}, { key: null })).body.code).toBe('no_items_available')
})

it('items that somebody keeps locked are told as none available, after a bounded number of turns', async () => {
  const { id } = (await proposer.post('/propose', { type: 'test.echo', payload: { messages: ['a'] } })).body.order
  const holder = new pg.Client({ connectionString: server.database.adminUrl })
  await holder.connect()
  await holder.query('begin')
  await holder.query('select from wm.items where order_id = $1 for update', [id])
  expect((await agent.post(`/orders/${id}/checkout`, {}, { key: null })).body.code).toBe('no_items_available')
  await holder.query('rollback')
  await holder.end()
  expect((await agent.post(`/orders/${id}/checkout`, {}, { key: null })).status).toBe(200)
})
