/** What a collector gets to see of an order: one connected trace, whoever does what where, and nothing of what the order holds. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import Type from 'typebox'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runAgent } from '../../../sdk/src/index.ts'
import { type OtlpCollector, type SeenSpan, startOtlpCollector } from '../../testing/peers/otlp-collector.ts'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'
import { type Caller, createCaller, startTestServer, type TestServer, until } from '../../testing/test-server.ts'
import { connect, ways } from '../doors/mcp/fixtures/clients.ts'
import { defineOrderType } from '../work/order-types/define-order-type.ts'
import { expireLease } from '../../testing/row-gate.ts'

const sent: Array<string | null> = []
const secret = 'kept between us'
const telling = {
  payload: Type.Object({ secret: Type.String() }),
  input: Type.Object({ secret: Type.String() }),
  result: Type.Object({ ok: Type.Boolean() }),
  parts: {
    schemas: { '*': Type.Object({ text: Type.String() }) },
    required: () => [],
    assemble: () => ({ ok: true }),
  },
} as const
const traced = defineOrderType({
  type: 'test.traced',
  ...telling,
  plan: ({ payload }) => [{ input: payload }],
  verify: [{ name: 'ok', check: ({ result }) => (result.ok ? [] : [{ field: 'ok', code: 'not_ok', message: `not ok: ${secret}` }]) }],
  apply(context) {
    context.effect('tell', { secret })
    return context.diff({}, { secret })
  },
  effects: { tell: { deduplicates: true, run: async (_input, { traceparent }) => void sent.push(traceparent) } },
})
const automatic = defineOrderType({
  type: 'test.automatic',
  ...telling,
  plan: ({ payload }) => [{ input: payload }],
  autoApprove: true,
  canApprove: () => [],
  apply: (context) => context.diff({}, {}),
  afterApply: async ({ traceparent }) => void sent.push(traceparent),
})

const mine = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' }
const traceparent = `00-${mine.trace}-${mine.span}-01`
const other = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' }
const otherTraceparent = `00-${other.trace}-${other.span}-01`

let collector: OtlpCollector
let database: TestDatabase
let server: TestServer
let agent: Caller
let person: Caller
let reviewer: Caller

const start = (): Promise<TestServer> =>
  startTestServer({
    types: [traced, automatic],
    database,
    background: false,
    config: { tracing: { exporter: 'otlp', endpoint: collector.url, service_name: 'wm-test' }, approval: { wait_ms: 0 } },
  })

beforeAll(async () => {
  collector = await startOtlpCollector()
  database = await createTestDatabase()
  server = await start()
  agent = await server.caller('agent', 'tracer')
  person = await server.caller('person', 'ada.lovelace')
  reviewer = await server.caller('person', 'grace.hopper')
})
afterAll(async () => {
  await server?.stop()
  await database?.drop()
  await collector?.stop()
})
beforeEach(() => void sent.splice(0))

const trace = (headers: string | null) => (headers === null ? {} : { headers: { traceparent: headers } })
const payload = { secret }

async function propose(headers: string | null = null, type = 'test.traced'): Promise<string> {
  const answer = await person.post('/propose', { type, payload }, trace(headers))
  expect(answer.status).toBe(201)
  return answer.body.order.id
}
async function take(order: string, headers: string | null = null, who = agent) {
  const answer = await who.post(`/orders/${order}/checkout`, {}, { key: null, ...trace(headers) })
  expect(answer.status).toBe(200)
  return answer.body.item as { id: string; lease_token: string; traceparent: string }
}
async function work(item: { id: string; lease_token: string }, headers: string | null = null, who = agent) {
  const { lease_token } = item
  expect((await who.post(`/items/${item.id}/heartbeat`, { lease_token }, { key: null, ...trace(headers) })).status).toBe(200)
  expect((await who.post(`/items/${item.id}/submit`, { lease_token, result: { ok: true } }, trace(headers))).status).toBe(202)
}
async function decideAndApply(order: string, headers: string | null = null) {
  expect((await reviewer.post(`/orders/${order}/approve`, {}, trace(headers))).status).toBe(202)
  await server.run('applier')
  await server.run('effect-runner')
}

/** Waits for a span of the order by name, and gives all spans of the order's traces, batches excepted. */
async function spansOf(order: string, last = 'effect'): Promise<SeenSpan[]> {
  const about = () => collector.spans.filter((span) => span.attributes['work_manager.order.id'] === order)
  await until(async () => about().some((span) => span.name === last), `the collector sees ${last}`)
  const traces = new Set(about().map((span) => span.traceId))
  return collector.spans.filter((span) => traces.has(span.traceId) && span.attributes['db.operation.name'] === undefined)
}
const named = (spans: readonly SeenSpan[], name: string): SeenSpan => {
  const found = spans.filter((span) => span.name === name)
  expect(found, name).toHaveLength(1)
  return found[0]!
}
/** `child < parent` for each span, by name. */
const tree = (spans: readonly SeenSpan[]): string[] =>
  spans
    .map((span) => `${span.name} < ${spans.find((above) => above.spanId === span.parentSpanId)?.name ?? (span.parentSpanId || '-')}`)
    .toSorted()
const wholeOrder = [
  'apply < approve_order',
  'approve_order < propose_order',
  'checkout_order_item < propose_order',
  'effect < apply',
  'heartbeat_item < lease',
  'lease < checkout_order_item',
  'submit_item < lease',
  'verify < submit_item',
]
const factsOf = (order: string) =>
  database.sql<{ kind: string; trace_id: string | null }>(
    `select kind, trace_id from record where order_id = $1 and kind not in ('order.checked_out', 'order.in_progress', 'order.submitted') order by position`,
    [order],
  )

describe('one trace from propose to apply', () => {
  it('when nobody sends one: the server begins it', async () => {
    const order = await propose()
    const item = await take(order)
    await work(item)
    await decideAndApply(order)
    const spans = await spansOf(order)
    expect(tree(spans)).toEqual(['propose_order < -', ...wholeOrder].toSorted())
    expect(new Set(spans.map((span) => span.traceId)).size).toBe(1)
    expect(item.traceparent).toBe(`00-${spans[0]!.traceId}-${named(spans, 'lease').spanId}-01`)
    expect(named(spans, 'approve_order').links).toEqual([named(spans, 'submit_item').spanId])
    expect(sent).toEqual([`00-${spans[0]!.traceId}-${named(spans, 'effect').spanId}-01`])
    const events = await factsOf(order)
    expect(events.map((event) => event.kind)).toContain('effect.delivered')
    expect(new Set(events.map((event) => event.trace_id))).toEqual(new Set([spans[0]!.traceId]))
  })

  it('when the proposer sends one: it goes on to the effect, and to the agent', async () => {
    const order = await propose(traceparent)
    const item = await take(order)
    await work(item, item.traceparent)
    await decideAndApply(order)
    const spans = (await spansOf(order)).filter((span) => span.attributes['work_manager.order.id'] === order || span.name === 'verify')
    expect(tree(spans)).toEqual([`propose_order < ${mine.span}`, ...wholeOrder].toSorted())
    expect([spans[0]!.traceId, item.traceparent.slice(3, 35), sent[0]!.slice(3, 35)]).toEqual([mine.trace, mine.trace, mine.trace])
  })

  it('whoever has a trace of their own keeps it, linked to the order’s', async () => {
    const order = await propose()
    const item = await take(order, otherTraceparent)
    await work(item, otherTraceparent)
    await decideAndApply(order, otherTraceparent)
    const spans = await spansOf(order)
    const proposed = named(spans, 'propose_order')
    const lease = named(spans, 'lease')
    const own = ['checkout_order_item', 'heartbeat_item', 'submit_item', 'approve_order'].map((name) => named(spans, name))
    expect(own.map((span) => [span.traceId, span.parentSpanId])).toEqual(own.map(() => [other.trace, other.span]))
    const [checkout, heartbeat, submit, approve] = own.map((span) => span.links)
    expect([checkout, heartbeat, submit]).toEqual([[proposed.spanId], [lease.spanId], [lease.spanId]])
    expect(approve).toEqual([proposed.spanId, own[2]!.spanId])
    expect([lease.traceId, lease.parentSpanId, lease.links]).toEqual([proposed.traceId, proposed.spanId, [own[0]!.spanId]])
    expect([named(spans, 'apply').parentSpanId, named(spans, 'effect').traceId]).toEqual([own[3]!.spanId, other.trace])
    const events = await factsOf(order)
    expect(events.find((event) => event.kind === 'order.proposed')!.trace_id).toBe(proposed.traceId)
    expect(events.find((event) => event.kind === 'item.leased')!.trace_id).toBe(other.trace)
    expect(events.find((event) => event.kind === 'item.submitted')!.trace_id).toBe(other.trace)
  })

  it('across two servers, and a restart before the apply', async () => {
    const second = await start()
    const there = createCaller(second.url, agent.key, agent.id)
    const order = await propose()
    const item = await take(order)
    await work(item, null, there)
    expect((await createCaller(second.url, reviewer.key, reviewer.id).post(`/orders/${order}/approve`)).status).toBe(202)
    await second.stop()
    const third = await start()
    await third.run('applier')
    await third.run('effect-runner')
    await third.stop()
    await spansOf(order, 'checkout_order_item')
    expect(tree(await spansOf(order))).toEqual(['propose_order < -', ...wholeOrder].toSorted())
  })

  it('with the SDK’s agent, which hands the trace on by itself', async () => {
    const order = await propose()
    const seen: Array<string | null> = []
    await runAgent<{ secret: string }>({
      url: server.url,
      key: agent.key,
      order,
      stopWhenIdle: true,
      waitSeconds: 0,
      async handler({ item, heartbeat, part }) {
        seen.push(item.traceparent)
        await heartbeat()
        await part('one', { text: 'a part' })
        return { finalize: 'strict' }
      },
    })
    await decideAndApply(order)
    const spans = (await spansOf(order)).filter((span) => span.attributes['work_manager.outcome'] !== 'refused')
    expect(tree(spans)).toEqual(
      [
        'propose_order < -',
        'submit_part < lease',
        'verify < submit_part',
        ...wholeOrder.map((line) => line.replaceAll('submit_item', 'finalize_item')),
      ].toSorted(),
    )
    expect(seen).toEqual([`00-${spans[0]!.traceId}-${named(spans, 'lease').spanId}-01`])
  })

  it.each(ways)('over MCP of %s by %s, whose _meta is the parent', async (era, transport) => {
    const order = await propose()
    const client = await connect(era, transport, server.url, agent.key)
    const call = (name: string, args: object, meta: object = {}) => client.raw.callTool({ name, arguments: args, _meta: meta })
    const taken = await call('work_checkout', { order_id: order }, { traceparent: otherTraceparent, tracestate: 'vendor=1' })
    const { item } = taken.structuredContent
    await call('work_heartbeat', { item_id: item.id, lease_token: item.lease_token }, { 'gen_ai.tool.call.id': 'call_7' })
    const handedIn = { item_id: item.id, lease_token: item.lease_token, result: { ok: true }, idempotency_key: crypto.randomUUID() }
    await call('work_submit', handedIn, { traceparent: 'not one', 'claudecode/toolUseId': 'toolu_1' })
    await client.close()
    await decideAndApply(order)
    const spans = await spansOf(order)
    const checkout = spans.find((span) => span.name === 'checkout_order_item' && span.attributes['work_manager.order.id'] === order)!
    expect([checkout.traceId, checkout.parentSpanId, checkout.tracestate]).toEqual([other.trace, other.span, 'vendor=1'])
    expect(checkout.attributes).toMatchObject({
      'work_manager.door': 'mcp',
      'work_manager.operation': 'checkout_order_item',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'work_checkout',
      'gen_ai.agent.id': 'tracer',
      'mcp.method.name': 'tools/call',
    })
    const lease = spans.find((span) => span.name === 'lease' && span.attributes['work_manager.order.id'] === order)!
    const inOrder = spans.filter((span) => span.traceId === lease.traceId)
    expect(tree(inOrder)).toEqual(
      ['propose_order < -', 'lease < propose_order', ...wholeOrder.filter((line) => !/^(lease|checkout)/.test(line))].toSorted(),
    )
    expect(named(inOrder, 'heartbeat_item').attributes['gen_ai.tool.call.id']).toBe('call_7')
    expect(named(inOrder, 'submit_item').attributes['gen_ai.tool.call.id']).toBe('toolu_1')
    if (era === '2026-07-28')
      expect(checkout.attributes).toMatchObject({ 'gen_ai.agent.name': 'test-client', 'gen_ai.agent.version': '1.2.3' })
  })

  it('from the command line, by TRACEPARENT', async () => {
    const bin = fileURLToPath(new URL('../../bin/work-manager.mjs', import.meta.url))
    const env = { WORK_MANAGER_URL: server.url, WORK_MANAGER_KEY: person.key, TRACEPARENT: otherTraceparent, PATH: process.env.PATH ?? '' }
    const [code] = (await once(spawn(process.execPath, [bin, 'records', 'nothing'], { env, stdio: 'ignore' }), 'close')) as [number]
    expect(code).toBe(0)
    const listing = () => collector.spans.filter((span) => span.name === 'list_records')
    await until(async () => listing().length > 0, 'the listing')
    expect(listing().map((span) => [span.traceId, span.parentSpanId])).toEqual([[other.trace, other.span]])
  })

  it('decided by the server itself', async () => {
    const order = await propose(null, 'test.automatic')
    await work(await take(order))
    await server.run('auto-approver')
    await server.run('applier')
    await server.run('effect-runner')
    const spans = await spansOf(order)
    expect(tree(spans)).toEqual(
      ['propose_order < -', ...wholeOrder.map((line) => line.replaceAll('approve_order', 'auto_approve'))].toSorted(),
    )
    expect(named(spans, 'auto_approve').links).toEqual([named(spans, 'submit_item').spanId])
    expect(sent).toEqual([`00-${spans[0]!.traceId}-${named(spans, 'effect').spanId}-01`])
  })

  it('planned later, and leased twice', async () => {
    const proposed = await person.post('/propose', { type: 'test.traced', payload, defer_planning: true })
    const order = proposed.body.order.id as string
    await person.post(`/orders/${order}/plan`)
    const first = await take(order)
    await expireLease(database, first.id)
    await server.run('lease-reclaimer')
    const second = await take(order)
    const spans = await spansOf(order, 'reclaim_lease')
    await until(async () => (await spansOf(order, 'lease')).filter((span) => span.name === 'lease').length === 2, 'both leases')
    expect(first.traceparent.slice(0, 35)).toBe(second.traceparent.slice(0, 35))
    expect(first.traceparent).not.toBe(second.traceparent)
    expect(named(spans, 'reclaim_lease').parentSpanId).toBe(first.traceparent.slice(36, 52))
    expect(named(spans, 'plan_order').parentSpanId).toBe(named(spans, 'propose_order').spanId)
  })
})

describe('what a span says', () => {
  it('who, what and how it ended, and nothing of what the order holds', async () => {
    const order = await propose()
    const item = await take(order)
    const key = crypto.randomUUID()
    const refused = await agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { ok: false } })
    expect(refused.status).toBe(422)
    for (let n = 0; n < 2; n++)
      await agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { ok: true } }, { key })
    await decideAndApply(order)
    const spans = await spansOf(order)
    expect(named(spans, 'propose_order').resource).toMatchObject({
      'service.name': 'wm-test',
      'service.version': expect.stringMatching(/\d/),
    })
    expect(named(spans, 'propose_order').attributes).toEqual({
      'work_manager.door': 'http',
      'work_manager.operation': 'propose_order',
      'work_manager.request.id': expect.stringMatching(/^req_/),
      'work_manager.order.id': order,
      'work_manager.order.type': 'test.traced',
      'work_manager.outcome': 'done',
      'http.response.status_code': 201,
    })
    const submits = spans.filter((span) => span.name === 'submit_item')
    expect(submits.map((span) => [span.attributes['error.type'], span.attributes['work_manager.replayed'], span.failed])).toEqual([
      ['verification_failed', undefined, false],
      [undefined, undefined, false],
      [undefined, true, false],
    ])
    expect(spans.filter((span) => span.name === 'verify').map((span) => span.attributes['work_manager.outcome'])).toEqual([
      'refused',
      'passed',
      'passed',
    ])
    const everything = collector.bodies.join('\n')
    for (const hidden of [secret, item.lease_token, agent.key, reviewer.key, 'ada.lovelace', 'grace.hopper', 'acme'])
      expect(everything).not.toContain(hidden)
  })

  it('a shared statement is one span, linked with every call in it', async () => {
    const orders = await Promise.all(Array.from({ length: 8 }, () => propose()))
    const items = await Promise.all(orders.map((order) => take(order)))
    await Promise.all(items.map((item) => agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null })))
    const beats = () =>
      collector.spans.filter((span) => span.name === 'heartbeat_item' && orders.includes(String(span.attributes['work_manager.order.id'])))
    await until(async () => beats().length === 8, 'eight heartbeats')
    const statements = collector.spans.filter((span) =>
      ['work_window', 'heartbeat_items'].includes(String(span.attributes['db.operation.name'])),
    )
    for (const beat of beats())
      expect(statements.some((one) => one.parentSpanId === beat.spanId || beat.links.includes(one.spanId))).toBe(true)
  })

  it('a malformed trace context is as good as none', async () => {
    const zeros = '0'.repeat(32)
    const malformed = ['00-0-0-01', `00-${zeros}-${mine.span}-01`, `00-${mine.trace}-${zeros.slice(16)}-01`]
    malformed.push(`ff-${mine.trace}-${mine.span}-01`, `${traceparent}-more`, traceparent.toUpperCase(), 'x'.repeat(5000), '')
    const orders = await Promise.all(malformed.map((bad) => propose(bad)))
    for (const order of orders) {
      const span = named(await spansOf(order, 'propose_order'), 'propose_order')
      expect([span.parentSpanId, span.traceId === mine.trace]).toEqual(['', false])
    }
    // A later version of the standard may say more; what this one knows of it counts.
    const later = await propose(`cc-${other.trace}-${other.span}-01-more`)
    const span = (await spansOf(later, 'propose_order')).find((one) => one.attributes['work_manager.order.id'] === later)!
    expect([span.traceId, span.parentSpanId]).toEqual([other.trace, other.span])
  })

  it('an idle agent leaves nothing behind, unless somebody traces it', async () => {
    const asked = () => collector.spans.filter((span) => span.attributes['error.type'] === 'no_items_available')
    const statements = () => collector.spans.filter((span) => span.name === 'lease_items' && span.parentSpanId === '').length
    const before = [asked().length, statements()]
    const ask = (headers: object) => agent.post('/checkout', { type: 'test.automatic' }, { key: null, ...headers })
    expect((await ask({})).body.code).toBe('no_items_available')
    await ask(trace(otherTraceparent))
    await until(async () => asked().length > before[0]!, 'the traced one')
    expect([asked().length, statements()]).toEqual([before[0]! + 1, before[1]])
    expect(asked().at(-1)!.parentSpanId).toBe(other.span)
  })

  it('a trace that its caller does not record is not recorded here', async () => {
    const order = await propose(`00-${mine.trace.replace('4b', '4c')}-${mine.span}-00`)
    const item = await take(order)
    expect(item.traceparent).toMatch(/^00-4cf92f.*-00$/)
    await spansOf(await propose(), 'propose_order')
    expect(collector.spans.filter((span) => span.attributes['work_manager.order.id'] === order)).toEqual([])
  })
})
