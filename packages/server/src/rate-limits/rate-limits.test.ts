import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Tier } from '@work-manager/contract'
import { echoType } from '../../testing/echo-type.ts'
import { type Answer, type Caller, startTestServer, type TestServer } from '../../testing/test-server.ts'
import { defineOrderType } from '../work/order-types/define-order-type.ts'

const limitedType = defineOrderType({
  type: 'test.limited',
  payload: echoType.validators.payload.jsonSchema,
  result: echoType.validators.result.jsonSchema,
  rateLimit: { perMinute: 1 },
  apply: (context) => context.diff({}, {}, 'nothing'),
})

/** Few tokens a minute, ten minutes' worth saved up: what is in a bucket hardly changes while a test runs. */
const slow = {
  enabled: true,
  burst_seconds: 600,
  free_per_minute: 1,
  default_per_minute: 2,
  professional_per_minute: 3,
  enterprise_per_minute: 4,
  anonymous_per_minute: 1,
}
const size = (tier: Tier): number => slow[`${tier}_per_minute`] * 10

let server: TestServer
/** A caller in a tenant of its own, with that tier. */
let n = 0
async function callerIn(tier: Tier, kind: 'agent' | 'service' | 'person' = 'service'): Promise<Caller & { tenant: string }> {
  const tenant = `t${++n}`
  await server.manager.tenants.ensure(tenant, tenant)
  await server.manager.keys.setTier(tenant, tier)
  return Object.assign(await server.caller(kind, 'caller', { tenant }), { tenant })
}
const quick = (caller: Caller): Promise<Answer> => caller.get('/types')
async function useUp(caller: Caller): Promise<Answer[]> {
  const all: Answer[] = []
  do all.push(await quick(caller))
  while (all.at(-1)!.status === 200 && all.length < 2_000)
  return all
}
const headersOf = (answer: Answer): Record<string, string> =>
  Object.fromEntries([...answer.headers].filter(([name]) => /ratelimit|retry-after/.test(name)))

beforeAll(async () => {
  server = await startTestServer({ types: [echoType, limitedType], config: { rate_limits: slow } })
})
afterAll(() => server.stop())

describe('a principal', () => {
  it.each(['free', 'default', 'professional', 'enterprise'] as const)('of a tenant of tier %s has that many requests', async (tier) => {
    const caller = await callerIn(tier)
    const all = await Promise.all(Array.from({ length: size(tier) + 20 }, () => quick(caller)))
    expect(all.filter((one) => one.status === 200)).toHaveLength(size(tier))
    expect(all.filter((one) => one.status === 429)).toHaveLength(20)
    const status = (await (await server.caller('person', 'looker', { tenant: caller.tenant })).get('/status')).body
    expect(status.rate_limit).toEqual({ tier, per_minute: slow[`${tier}_per_minute`] })
  })

  it('sees its limit on every answer, allowed or not, in both kinds of header', async () => {
    const caller = await callerIn('free')
    const first = headersOf(await quick(caller))
    expect(first).toMatchObject({
      'ratelimit-policy': '"principal";q=10;w=600',
      'x-ratelimit-limit': '10',
      'x-ratelimit-remaining': '9',
    })
    expect(first['ratelimit']).toMatch(/^"principal";r=9;t=\d+$/)
    expect(Number(first['x-ratelimit-reset'])).toBeGreaterThan(Date.now() / 1000)
    expect(first['retry-after']).toBeUndefined()
    const missing = await caller.get('/orders/01890a5d-ac96-774b-bcce-b302099a8057')
    expect([missing.status, headersOf(missing)['x-ratelimit-remaining']]).toEqual([404, '8'])
    const broken = await caller.post('/propose', '{"type":')
    expect([broken.status, headersOf(broken)['x-ratelimit-remaining']]).toEqual([400, '7'])
    const brokenToo = await caller.post('/orders/01890a5d-ac96-774b-bcce-b302099a8057/cancel', '{"reason":')
    expect([brokenToo.status, headersOf(brokenToo)['x-ratelimit-remaining']]).toEqual([400, '6'])
    const forbidden = await caller.post('/orders/01890a5d-ac96-774b-bcce-b302099a8057/approve')
    expect([forbidden.status, headersOf(forbidden)['x-ratelimit-remaining']]).toEqual([403, '5'])
    await useUp(caller)
    expect((await caller.post('/propose', '{"type":')).status).toBe(429)
  })

  it('is told which limit it was, how much it is and when to come back', async () => {
    const caller = await callerIn('free')
    const refused = (await useUp(caller)).at(-1)!
    expect(refused.status).toBe(429)
    const { body } = refused
    expect(body).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      code: 'rate_limited',
      retry: 'later',
      scope: 'principal',
      tier: 'free',
      limit: 10,
      window_seconds: 600,
      'violated-policies': ['principal'],
      error: { code: 'rate_limited', limit: 10 },
    })
    expect(body.detail).toMatch(
      /^service:caller \(tier free\) may send 1 request a minute \(10 at once\); they are used up\. The next one passes in \d+ s\.$/,
    )
    expect(body.retry_after).toBeGreaterThanOrEqual(1)
    expect(headersOf(refused)).toMatchObject({
      'retry-after': String(body.retry_after),
      'x-ratelimit-remaining': '0',
      'x-ratelimit-limit': '10',
    })
    expect(headersOf(refused)['ratelimit']).toMatch(/^"principal";r=0;t=\d+$/)
  })

  it('does not use up what another principal of its tenant has, nor does a second key give it more', async () => {
    const caller = await callerIn('free')
    await useUp(caller)
    const sameAgain = await server.caller('service', 'caller', { tenant: caller.tenant })
    expect((await quick(sameAgain)).status).toBe(429)
    const other = await server.caller('service', 'other', { tenant: caller.tenant })
    expect((await quick(other)).status).toBe(200)
  })

  it('has a new limit as soon as the tier is believed, and the record keeps the change', async () => {
    const caller = await callerIn('free')
    await useUp(caller)
    expect(await server.manager.keys.setTier(caller.tenant, 'enterprise')).toEqual({ tier: 'enterprise', before: 'free' })
    expect(await server.manager.keys.setTier(caller.tenant, 'enterprise')).toEqual({ tier: 'enterprise', before: 'enterprise' })
    // A key of its own, because a known one is believed for some seconds.
    const anew = await server.caller('service', 'anew', { tenant: caller.tenant })
    expect(headersOf(await quick(anew))['x-ratelimit-limit']).toBe(String(size('enterprise')))
    const events = await server.database.sql<{ payload: unknown; principal: string; priority: number }>(
      `select e.payload, e.principal, e.priority from record e join wm.tenants t on t.id = e.tenant_id
        where t.slug = '${caller.tenant}' and kind = 'tenant.tier_set' order by position`,
    )
    expect(events).toEqual([
      { payload: { tier: 'free', before: 'default' }, principal: 'system:cli', priority: 0 },
      { payload: { tier: 'enterprise', before: 'free' }, principal: 'system:cli', priority: 0 },
    ])
    await expect(server.manager.keys.setTier('t0', 'free')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('that used up everything still keeps, hands in and gives back what it holds, and takes nothing new', async () => {
    const agent = await callerIn('free', 'agent')
    const proposed = await agent.post('/propose', { type: 'test.echo', payload: { messages: ['a', 'b', 'c', 'd'] } })
    const orderId = proposed.body.order.id as string
    const take = async () => (await agent.post(`/orders/${orderId}/checkout`, {}, { key: null })).body.item
    const [a, b, c] = [await take(), await take(), await take()]
    await useUp(agent)
    const verbs: Array<[string, object, number]> = [
      [`/items/${a.id}/heartbeat`, { lease_token: a.lease_token }, 200],
      [`/items/${a.id}/submit`, { lease_token: a.lease_token, result: { echoed: a.input.message, ok: true } }, 202],
      [`/items/${b.id}/release`, { lease_token: b.lease_token }, 200],
      [`/items/${c.id}/fail`, { lease_token: c.lease_token, class: 'transient', error: { code: 'x', message: 'x' } }, 200],
      [`/items/${b.id}/parts`, { part_key: 'p', payload: {} }, 422],
    ]
    for (const [path, body, status] of verbs) {
      const answer = await agent.post(path, body)
      expect([path, answer.status], answer.text).toEqual([path, status])
      expect(headersOf(answer)['x-ratelimit-remaining']).toBe('0')
    }
    expect((await agent.post(`/orders/${orderId}/checkout`, {}, { key: null })).status).toBe(429)
    expect((await agent.post('/propose', { type: 'test.echo', payload: { messages: ['e'] } })).status).toBe(429)
  })
})

describe('an order type with a limit', () => {
  const propose = (caller: Caller) => caller.post('/propose', { type: 'test.limited', payload: { messages: ['x'] } })

  it('takes so many proposals and checkouts of a tenant, and no other tenant or type feels it', async () => {
    const proposer = await callerIn('default')
    const agent = await server.caller('agent', 'a', { tenant: proposer.tenant })
    for (let i = 0; i < 8; i++) expect((await propose(proposer)).status).toBe(201)
    // One that names the type and one that names none: both count.
    expect((await agent.post('/checkout', { type: 'test.limited' }, { key: null })).status).toBe(200)
    expect((await agent.post('/checkout', {}, { key: null })).status).toBe(200)
    const refused = await propose(proposer)
    expect([refused.status, refused.body.scope, refused.body.limit, refused.body['violated-policies']]).toEqual([429, 'type', 10, ['type']])
    expect(headersOf(refused)['ratelimit-policy']).toBe('"principal";q=20;w=600, "type";q=10;w=600')
    expect((await agent.post('/checkout', { type: 'test.limited' }, { key: null })).body.scope).toBe('type')
    // A refusal by the type gives the principal its request back.
    expect(headersOf(await quick(proposer))['x-ratelimit-remaining']).toBe('11')
    expect((await proposer.post('/propose', { type: 'test.echo', payload: { messages: ['x'] } })).status).toBe(201)
    expect((await propose(await callerIn('default'))).status).toBe(201)
  })

  it('a name that is no order type gets no bucket', async () => {
    const caller = await callerIn('default')
    for (let i = 0; i < 15; i++) expect((await caller.post('/checkout', { type: `made.up.${i}` }, { key: null })).status).toBe(404)
  })
})

describe('a tenant with a total', () => {
  it('shares it between its principals; what is held can still be handed in', async () => {
    const own = await startTestServer({
      types: [echoType],
      config: { rate_limits: { ...slow, tenant_per_minute: 2 } },
      database: server.database,
    })
    try {
      const proposer = await own.caller('service', 'p', { tenant: 'total' })
      const agent = await own.caller('agent', 'a', { tenant: 'total' })
      await proposer.post('/propose', { type: 'test.echo', payload: { messages: ['a'] } })
      const { item } = (await agent.post('/checkout', {}, { key: null })).body
      const all = await Promise.all(Array.from({ length: 30 }, (_, i) => quick(i % 2 ? proposer : agent)))
      expect(all.filter((one) => one.status === 200)).toHaveLength(18)
      const refused = all.find((one) => one.status === 429)!
      expect(refused.body).toMatchObject({
        scope: 'tenant',
        limit: 20,
        detail: expect.stringMatching(/^The tenant total may send 2 requests a minute/),
      })
      const submit = await agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { echoed: 'a', ok: true } })
      expect(submit.status).toBe(202)
      expect((await quick(await own.caller('agent', 'a', { tenant: 'another' }))).status).toBe(200)
    } finally {
      await own.stop()
    }
  })
})

describe('the MCP door', () => {
  it('gives the same problem as the result of the tool', async () => {
    const agent = await callerIn('free', 'agent')
    await useUp(agent)
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'work_types', arguments: {} } }
    const response = await fetch(`${server.url}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${agent.key}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-06-18',
      },
      body: JSON.stringify(call),
    })
    const text = await response.text()
    const { result } = JSON.parse(/\{.*\}/s.exec(text)![0]) as { result: { isError: boolean; structuredContent: Record<string, unknown> } }
    expect(result.isError).toBe(true)
    expect(result.structuredContent).toMatchObject({ code: 'rate_limited', status: 429, scope: 'principal', tier: 'free', limit: 10 })
    expect(result.structuredContent['retry_after']).toBeGreaterThanOrEqual(1)
  })
})

describe('the door of the library', () => {
  it('counts like every other, and the system itself is not limited', async () => {
    const { tenantId } = { tenantId: (await server.manager.tenants.ensure('lib', 'lib')).id }
    const operation = (await import('../work/order-types/list-order-types.ts')).listOrderTypes
    const run = (kind: 'service' | 'system') =>
      server.manager.run(operation, {
        principal: { tenantId, tenantSlug: 'lib', kind, id: 'x', name: `${kind}:x`, keyId: null, abilities: ['*'], tier: 'free' },
        provenance: {} as never,
        requestId: 'r',
        input: {},
        idempotencyKey: undefined,
        signal: new AbortController().signal,
        fingerprintSource: '',
        traceId: null,
        traceparent: null,
      } as never)
    for (let i = 0; i < 10; i++) await run('service')
    await expect(run('service')).rejects.toMatchObject({ code: 'rate_limited' })
    for (let i = 0; i < 30; i++) await run('system')
  })
})
