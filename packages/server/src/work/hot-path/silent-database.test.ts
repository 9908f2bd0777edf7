/** A database that takes what is sent and answers nothing: everybody hears 503, nothing stands still afterwards, stopping ends. */
import { beforeEach, expect, it } from 'vitest'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { type SilentProxy, startSilentProxy } from '../../../testing/silent-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { type Caller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'

let database: TestDatabase
let proxy: SilentProxy
let server: TestServer
let agent: Caller
let rita: Caller
let crm: Caller

beforeEach(async () => {
  database = await createTestDatabase()
  proxy = await startSilentProxy(database.runtimeUrl)
  server = await startTestServer({ types: [essayType], database: { ...database, runtimeUrl: proxy.url } })
  agent = await server.caller('agent', 'agent-1')
  crm = await server.caller('service', 'crm')
  rita = await server.caller('person', 'rita')
  return async () => {
    proxy.pass()
    await server.stop()
    await proxy.stop()
    await database.drop()
  }
})

const ready = async () => {
  const response = await fetch(`${server.url}/readyz`)
  return { status: response.status, body: (await response.json()) as { checks: Record<string, string> } }
}
const lease = async () => {
  const { order } = (await crm.post('/propose', { type: 'test.essay', payload: { titles: ['one'] } })).body
  return (await agent.post(`/orders/${order.id}/checkout`)).body.item as { id: string; lease_token: string; order_id: string }
}

it('503 for everybody and for a whole batch at once; then applier, record and requests go on as if nothing had been', async () => {
  const items = [await lease(), await lease(), await lease()]
  const [handedIn] = items
  expect((await agent.post(`/items/${handedIn!.id}/submit`, { lease_token: handedIn!.lease_token, result: essay })).status).toBe(202)
  expect(await ready()).toMatchObject({ status: 200, body: { checks: { database: 'ok', background: 'ok' } } })

  proxy.swallow()
  const answers = await Promise.all([
    ...items.slice(1).map((item) => agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token })),
    ...items.slice(1).map((item) => agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: essay })),
    ...Array.from({ length: 12 }, () => agent.post('/checkout', {})),
    ...Array.from({ length: 12 }, () => rita.get('/orders')),
    rita.post(`/orders/${handedIn!.order_id}/approve`, {}),
  ])
  for (const answer of answers) {
    expect(answer, answer.text).toMatchObject({ status: 503, body: { code: expect.stringMatching(/^(database_unavailable|busy)$/) } })
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  }
  expect(await ready()).toMatchObject({ status: 503, body: { checks: { database: 'does not answer' } } })

  proxy.pass()
  expect((await rita.get('/orders')).status).toBe(200)
  expect((await rita.post(`/orders/${handedIn!.order_id}/approve`, {})).status).toBeLessThan(300)
  await until(async () => (await rita.get(`/orders/${handedIn!.order_id}`)).body.order.state === 'completed', 'the applier goes on')
  await until(
    async () =>
      (await database.sql(`select from wm.events where kind = 'order.completed' and root_id = $1`, [handedIn!.order_id])).length === 1,
    'the record goes on',
  )
  await until(async () => (await ready()).status === 200, 'ready again')
})

it('a server that is told to stop meanwhile stops', async () => {
  const item = await lease()
  proxy.swallow()
  const cut = agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }).catch(() => null)
  await server.manager.stop()
  await cut
})
