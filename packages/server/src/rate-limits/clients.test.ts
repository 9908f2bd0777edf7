import { afterAll, beforeAll, expect, it } from 'vitest'
import { createClient } from '../../../sdk/src/client.ts'
import { runAgent } from '../../../sdk/src/agent/run-agent.ts'
import { echoType } from '../../testing/echo-type.ts'
import { startTestServer, type TestServer } from '../../testing/test-server.ts'
import { createServerClient } from '../cli/server-client.ts'

let server: TestServer
beforeAll(async () => {
  // Two at once, and one more every second.
  server = await startTestServer({
    types: [echoType],
    config: { rate_limits: { enabled: true, free_per_minute: 60, burst_seconds: 2, default_per_minute: 1_000 } },
  })
  for (const tenant of ['sdk', 'loop', 'cli']) {
    await server.manager.tenants.ensure(tenant, tenant)
    await server.manager.keys.setTier(tenant, 'free')
  }
})
afterAll(() => server.stop())

it('the SDK comes back when it was told to, also with a call that makes something new each time', async () => {
  const { key } = await server.caller('service', 's', { tenant: 'sdk' })
  const statuses: number[] = []
  const client = createClient({
    url: server.url,
    key,
    async fetch(input, init) {
      const response = await fetch(input, init)
      statuses.push(response.status)
      return response
    },
  })
  for (let i = 0; i < 3; i++) expect((await client.proposeOrder({ type: 'test.echo', payload: { messages: ['x'] } })).items_count).toBe(1)
  // Without an idempotency key: repeated because the refusal says for certain that nothing was done.
  await Promise.all([client.checkoutItem({}), client.checkoutItem({}), client.checkoutItem({})])
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(3)
  expect(statuses.filter((status) => status === 201)).toHaveLength(3)
})

it('an agent of the SDK at its limit loses nothing that it took: what it holds goes on from the reserve', async () => {
  const proposer = await server.caller('service', 'p', { tenant: 'loop' })
  await proposer.post('/propose', { type: 'test.echo', payload: { messages: ['a', 'b', 'c', 'd'] } })
  const { key } = await server.caller('agent', 'a', { tenant: 'loop' })
  const totals = await runAgent<{ message: string }>({
    url: server.url,
    key,
    types: ['test.echo'],
    concurrency: 4,
    waitSeconds: 0,
    stopWhenIdle: true,
    handler: ({ item }) => ({ result: { echoed: item.input.message, ok: true } }),
  })
  expect(totals).toMatchObject({ submitted: 4, failed: 0 })
})

it('the command line waits and repeats the same request', async () => {
  const { key } = await server.caller('service', 'c', { tenant: 'cli' })
  const client = createServerClient({ url: server.url, key, keyFrom: 'test', signal: new AbortController().signal })
  for (let i = 0; i < 4; i++) await client.call('list_order_types', {})
  const made = await client.call('propose_order', { type: 'test.echo', payload: { messages: ['x'] } })
  expect(made.status).toBe(201)
})
