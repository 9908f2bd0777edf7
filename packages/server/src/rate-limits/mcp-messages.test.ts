/** At MCP every message counts, whether it comes to an operation or not. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { echoType } from '../../testing/echo-type.ts'
import { type Caller, startTestServer, type TestServer } from '../../testing/test-server.ts'

const quota = 10
let server: TestServer
beforeAll(async () => {
  server = await startTestServer({
    types: [echoType],
    config: { rate_limits: { enabled: true, free_per_minute: 1, default_per_minute: 1_000_000, burst_seconds: 600 } },
  })
})
afterAll(() => server.stop())

let tenants = 0
async function callerIn(): Promise<Caller> {
  const tenant = `mcp-${++tenants}`
  const caller = await server.caller('agent', 'a', { tenant })
  await server.manager.keys.setTier(tenant, 'free')
  return server.caller('agent', 'b', { tenant }).then(() => caller)
}
const send = (caller: Caller, message: object): Promise<Response> =>
  fetch(`${server.url}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${caller.key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  })
const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }

it.each<[string, object]>([
  ['initialize', { id: 1, method: 'initialize', params: initialize }],
  ['tools/list', { id: 1, method: 'tools/list' }],
  ['resources/list', { id: 1, method: 'resources/list' }],
  ['prompts/list', { id: 1, method: 'prompts/list' }],
  ['ping', { id: 1, method: 'ping' }],
  ['a method that is not there', { id: 1, method: 'nothing/here' }],
  ['a tool that is not there', { id: 1, method: 'tools/call', params: { name: 'nothing', arguments: {} } }],
])('%s', async (_what, message) => {
  const caller = await callerIn()
  const answers = await Promise.all(Array.from({ length: quota + 3 }, () => send(caller, message)))
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(3)
  const refused = answers.find(({ status }) => status === 429)!
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(((await refused.json()) as { code: string }).code).toBe('rate_limited')
})

it('a tool called with what it cannot take', async () => {
  const caller = await callerIn()
  const call = { id: 1, method: 'tools/call', params: { name: 'work_get', arguments: { nonsense: 1 } } }
  const texts = await Promise.all(Array.from({ length: quota + 3 }, async () => (await send(caller, call)).text()))
  expect(texts.filter((text) => text.includes('rate_limited'))).toHaveLength(3)
})

it('what is counted where it runs is counted once', async () => {
  const caller = await callerIn()
  const call = { id: 1, method: 'tools/call', params: { name: 'work_types', arguments: {} } }
  const texts = await Promise.all(Array.from({ length: quota }, async () => (await send(caller, call)).text()))
  expect(texts.filter((text) => text.includes('rate_limited'))).toEqual([])
})

it('what a client takes back is heard when nothing else is any more', async () => {
  const caller = await callerIn()
  for (let n = 0; n < quota; n++) await send(caller, { id: n, method: 'ping' })
  expect((await send(caller, { id: 99, method: 'ping' })).status).toBe(429)
  expect((await send(caller, { method: 'notifications/cancelled', params: { requestId: 3 } })).status).toBe(202)
})
