/** The lease token is asked for unless the server or the type lets older clients go without: a stale process must not hand in under the next lease. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { type Caller, createCaller, startTestServer, type TestServer } from '../../../testing/test-server.ts'

const lenient = { ...essayType, type: 'test.lenient', requireLeaseToken: false }
let server: TestServer
let relaxed: TestServer
let crm: Caller
let robin: Caller
beforeAll(async () => {
  server = await startTestServer({ types: [essayType, lenient], background: false })
  relaxed = await startTestServer({
    types: [essayType],
    background: false,
    database: server.database,
    config: { lease: { require_token: false } },
  })
  crm = await server.caller('service', 'crm')
  robin = await server.caller('agent', 'robin')
})
afterAll(async () => {
  await relaxed.stop()
  await server.stop()
})

async function leased(type: string): Promise<{ id: string; lease_token: string }> {
  const { order } = (await crm.post('/propose', { type, payload: { titles: ['one'] } })).body
  return (await robin.post(`/orders/${order.id}/checkout`)).body.item
}

it.each([
  ['heartbeat', {}],
  ['submit', { result: essay }],
  ['release', {}],
  ['fail', { class: 'agent', error: { code: 'no', message: 'no' } }],
  ['parts', { part_key: 'body', payload: essay.body }],
])('%s without a token is refused, with it taken', async (verb, body) => {
  const item = await leased('test.essay')
  const bare = await robin.post(`/items/${item.id}/${verb}`, body)
  expect([bare.status, bare.body.code], bare.text).toEqual([422, 'lease_token_required'])
  const answer = await robin.post(`/items/${item.id}/${verb}`, { ...body, lease_token: item.lease_token })
  expect(answer.body.code).not.toBe('lease_token_required')
})

it('a stale process of the same agent hands nothing in under its next lease', async () => {
  const item = await leased('test.essay')
  await robin.post(`/items/${item.id}/release`, { lease_token: item.lease_token })
  const next = (await robin.post('/checkout', { type: 'test.essay' })).body.item
  expect((await robin.post(`/items/${next.id}/submit`, { result: essay })).status).not.toBe(200)
  expect((await robin.post(`/items/${next.id}/submit`, { result: essay, lease_token: item.lease_token })).status).not.toBe(200)
})

it('a type may let older clients go without', async () => {
  const item = await leased('test.lenient')
  expect((await robin.post(`/items/${item.id}/heartbeat`, {})).status).toBe(200)
})

it('so may the server, for what is proposed there', async () => {
  const { order } = (await createCaller(relaxed.url, crm.key, 'crm').post('/propose', { type: 'test.essay', payload: { titles: ['one'] } }))
    .body
  const { item } = (await robin.post(`/orders/${order.id}/checkout`)).body
  expect((await robin.post(`/items/${item.id}/heartbeat`, {})).status).toBe(200)
})
