/** Nothing of a type runs for somebody who does not hold the item: not for a stranger, not for work that is ready or paused, not for a replay. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { type Caller, startTestServer, type TestServer } from '../../../testing/test-server.ts'

let ran = 0
const gathering = {
  ...essayType,
  type: 'test.gathering',
  gather: async () => {
    ran++
    return {}
  },
}
let server: TestServer
let crm: Caller
let robin: Caller
let stranger: Caller
beforeAll(async () => {
  server = await startTestServer({ types: [gathering], background: false })
  crm = await server.caller('service', 'crm')
  robin = await server.caller('agent', 'robin')
  stranger = await server.caller('agent', 'stranger')
})
afterAll(() => server.stop())
beforeEach(() => {
  ran = 0
})

async function leased(): Promise<{ id: string; lease_token: string; order_id: string }> {
  const { order } = (await crm.post('/propose', { type: 'test.gathering', payload: { titles: ['one'] } })).body
  return (await robin.post(`/orders/${order.id}/checkout`)).body.item
}

it.each([
  ['submit', { result: essay }],
  ['finalize', {}],
  ['parts', { part_key: 'body', payload: essay.body }],
])('%s of an item that somebody else holds', async (verb, body) => {
  const item = await leased()
  const answer = await stranger.post(`/items/${item.id}/${verb}`, { ...body, lease_token: item.lease_token })
  expect([answer.status, answer.body.code]).toEqual([409, 'lease_error'])
  expect(ran).toBe(0)
})

it('submit of an item that was given back, or cancelled', async () => {
  const item = await leased()
  await robin.post(`/items/${item.id}/release`, { lease_token: item.lease_token })
  expect((await robin.post(`/items/${item.id}/submit`, { result: essay, lease_token: item.lease_token })).status).toBe(409)
  await crm.post(`/orders/${item.order_id}/cancel`, { reason: 'enough' })
  expect((await robin.post(`/items/${item.id}/submit`, { result: essay, lease_token: item.lease_token })).status).toBe(409)
  expect(ran).toBe(0)
})

it('submit once more with the same key: the kept answer', async () => {
  const item = await leased()
  const send = () => robin.post(`/items/${item.id}/submit`, { result: essay, lease_token: item.lease_token }, { key: `once-${item.id}` })
  const first = await send()
  expect([first.status, ran]).toEqual([202, 1])
  const second = await send()
  expect([second.status, second.text, second.headers.get('idempotent-replayed'), ran]).toEqual([202, first.text, 'true', 1])
})
