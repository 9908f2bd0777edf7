/** Keys are looked up together when many callers come at once; each caller is still who its own key says. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { echoType } from '../../testing/echo-type.ts'
import { createCaller, startTestServer, type TestServer } from '../../testing/test-server.ts'
import { generateKey } from './api-keys.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ types: [echoType], background: false })
})
afterAll(() => server.stop())

test('hundreds of keys at the same moment: every caller is itself, and strangers among them are refused', async () => {
  const callers = []
  for (let n = 0; n < 300; n++) {
    const tenant = n % 2 ? 'acme' : 'globex'
    callers.push({ tenant, ...(await server.caller('agent', `agent-${n}`, { tenant })) })
  }
  const strangers = Array.from({ length: 10 }, () => createCaller(server.url, generateKey('agent').plain, 'nobody'))

  const refused = Promise.all(strangers.map((stranger) => stranger.post('/propose', { type: 'test.echo', payload: { messages: ['x'] } })))
  const answers = await Promise.all(
    callers.map(({ post, tenant, id }) => post('/propose', { type: 'test.echo', payload: { messages: [`${tenant}/agent:${id}`] } })),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
  expect(new Set((await refused).map(({ status, body }) => `${status} ${body.code}`))).toEqual(new Set(['401 key_unknown']))

  const wrong = await server.database.sql(
    `select o.requested_by_principal, o.payload from wm.orders o join wm.tenants t on t.id = o.tenant_id
      where o.payload #>> '{messages,0}' <> t.slug || '/' || o.requested_by_principal`,
  )
  expect(wrong).toEqual([])
  expect(await server.database.sql('select count(*)::int as n from wm.orders')).toEqual([{ n: 300 }])
})
