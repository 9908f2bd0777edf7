/** A whole server that fails with secrets in its errors, and a log in which none of them stands. */
import Type from 'typebox'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'
import { loadConfig } from '../config/index.ts'
import { guardLog } from './guard-log.ts'
import { createRedactor } from './redactor.ts'
import { openWorkManager, type WorkManager } from '../main.ts'
import { defineOrderType } from '../work/order-types/define-order-type.ts'

const guardSecret = 'guard-secret-"quoted"-0123456789abcdef'
const scrapeToken = 'scrape-token-0123456789'
const ssn = '078-05-1120'
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const leaky = (key: string) =>
  new Error(`call with ${JSON.stringify({ headers: { authorization: `Bearer ${key}` }, ssn })} failed`, {
    cause: Object.assign(new Error(`postgres://app:db-pass-123@db/x said ${guardSecret}`), {
      config: { headers: { Authorization: key }, password: 'db-pass-123' },
      cause: new AggregateError([new Error(`redis://:db-pass-123@r:1 and ${scrapeToken}`)], 'all of them'),
    }),
  })

let key = ''
const leakyType = defineOrderType({
  type: 'test.leaky',
  secretFields: ['ssn'],
  payload: Type.Object({ ssn: Type.String() }),
  result: Type.Object({ ssn: Type.String() }),
  plan: ({ payload }) => {
    if (payload.ssn === 'plan') throw leaky(key)
    return [{ input: payload }]
  },
  apply: () => Promise.reject(leaky(key)),
})

let database: TestDatabase
let manager: WorkManager
const lines: string[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  const config = await loadConfig({
    env: {},
    cwd: import.meta.dirname,
    code: {
      database: { url: database.runtimeUrl },
      guard: { secret: guardSecret },
      // The person approves what there is; which digest they saw is not what is tested here.
      approval: { require_digest: false },
      metrics: { token: scrapeToken },
      server: { port: 0 },
      background: { enabled: false },
    },
  })
  manager = await openWorkManager(config, {
    types: [leakyType],
    log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }),
  })
  await manager.listen()
})
afterAll(async () => {
  await manager.stop()
  await database.drop()
})

const post = async (path: string, body: object, of = key) =>
  fetch(`${manager.url}/api/work${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${of}`,
      'idempotency-key': crypto.randomUUID(),
      traceparent,
      'x-request-id': 'req-leaky',
    },
    body: JSON.stringify(body),
  })

it('holds no character that would act on a terminal, and reads back as it was', async () => {
  const said: string[] = []
  const log = guardLog(pino({ level: 'info' }, { write: (line: string) => void said.push(line) }), createRedactor())
  const text = 'a\u202eb\u009b31m\u001b[2J\u{e0041}\u200b\ufe01\u2028c'
  log.info({ from: text, err: new Error(text) }, text)
  expect(said).toHaveLength(1)
  expect(said[0]!.slice(0, -1)).not.toMatch(/\p{Cc}|\p{Cf}|\u2028|\ufe01/u)
  expect(JSON.parse(said[0]!)).toMatchObject({ from: text, msg: text, err: { message: text } })
})

it('holds no secret, and says which request, trace and operation failed', async () => {
  const keyOf = async (kind: 'agent' | 'person', principalId: string) =>
    (await manager.keys.create({ tenant: 'acme', kind, principalId, name: principalId, abilities: ['work:*'] })).key
  key = await keyOf('agent', 'wren')
  const reviewer = await keyOf('person', 'rita')
  expect((await post('/propose', { type: 'test.leaky', payload: { ssn: 'plan' } })).status).toBeGreaterThanOrEqual(400)
  const proposed = (await (await post('/propose', { type: 'test.leaky', payload: { ssn } })).json()) as { order: { id: string } }
  const { item } = (await (await post(`/orders/${proposed.order.id}/checkout`, {})).json()) as { item: { id: string; lease_token: string } }
  await post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { ssn } })
  const approval = post(`/orders/${proposed.order.id}/approve`, {}, reviewer)
  while ((await manager.background['applier']!.runOnce()) === 0);
  await approval
  // A fault inside the server itself, at the door.
  const { hotPath } = manager.tools
  const checkout = hotPath.checkout
  Object.assign(hotPath, { checkout: () => Promise.reject(leaky(key)) })
  expect((await post('/checkout', {})).status).toBe(500)
  Object.assign(hotPath, { checkout })
  manager.tools.log.warn({ err: leaky(key), headers: { cookie: 'session=1', authorization: key } }, `lost ${item.lease_token}`)

  const all = lines.join('')
  for (const secret of [key.slice(16), guardSecret, JSON.stringify(guardSecret).slice(1, -1), scrapeToken, ssn, 'db-pass-123', 'session=1'])
    expect(all, secret).not.toContain(secret)
  expect(all).not.toContain(item.lease_token)
  expect(all).toContain('apply failed')
  const parsed = lines.map((line) => JSON.parse(line))
  expect(parsed.find((line) => line.msg === 'the code of an order type failed')).toMatchObject({
    request_id: 'req-leaky',
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    operation: 'propose_order',
    err: { message: expect.stringContaining('plan threw') },
  })
  const failed = parsed.find((line) => line.msg === 'request failed')
  expect(failed).toMatchObject({
    request_id: 'req-leaky',
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    operation: 'checkout_item',
    err: { message: expect.stringContaining('failed'), cause: { message: expect.stringContaining('said [redacted]') } },
  })
})
