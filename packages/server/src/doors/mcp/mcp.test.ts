import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { operations } from '../../systems.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { type ConnectedClient, connect, ways } from './fixtures/clients.ts'
import type { McpTool } from '../../kernel/operations/operation.ts'
import { buildTools } from './tools.ts'

let story: Story
beforeAll(async () => {
  story = await startStory()
})
afterAll(() => story.server.stop())

const agentTools = [
  'work.types',
  'work.propose',
  'work.list',
  'work.get',
  'work.why',
  'work.logs',
  'work.checkout',
  'work.heartbeat',
  'work.submit',
  'work.release',
  'work.fail',
  'work.submit_part',
  'work.list_parts',
  'work.finalize',
]
const payload = { messages: ['hi'] }
const key = () => randomUUID()

it('a tool of several operations takes the most exact one first, and says what it does as a whole', () => {
  const shared = buildTools(operations).filter((tool) => tool.operations.length > 1)
  expect(Object.fromEntries(shared.map((tool) => [tool.name, tool.operations.map(({ operation }) => operation.name)]))).toEqual({
    'work.checkout': ['checkout_order_item', 'checkout_item'],
    'work.logs': ['get_item_logs', 'get_order_logs'],
  })
  for (const { listed } of shared)
    expect(listed.description).toMatch(/^(Take the most urgent ready item of any order|Read the events of an item or of an order)/)
})

it('tools that cannot be told apart are refused when they are built', () => {
  const [one, other] = operations.filter(({ tool }) => typeof tool !== 'string')
  expect(() => buildTools([one!, { ...other!, tool: { ...(one!.tool as McpTool) } }])).toThrow('two tools have the name')
  const tool = { name: 'work.both', title: 'Both' }
  expect(() =>
    buildTools([
      { ...one!, tool },
      { ...other!, tool },
    ]),
  ).toThrow('needs a summary')
})

describe.each(ways)('a client of %s over %s', (era, transport) => {
  let agent: ConnectedClient
  let person: ConnectedClient
  beforeAll(async () => {
    agent = await connect(era, transport, story.server.url, story.agent.key)
    person = await connect(era, transport, story.server.url, story.reviewer.key)
  })
  afterAll(async () => {
    await agent?.close()
    await person?.close()
  })

  it('agrees on its own version and is told how to work here', async () => {
    if (era === '2026-07-28' || transport === 'http') expect(agent.version).toBe(era)
    expect(agent.instructions).toContain('work.checkout')
    const prompt = await agent.raw.getPrompt({ name: 'work_here' })
    expect(prompt.messages[0].content.text).toContain('- test.echo')
    expect(prompt.messages[0].content.text.split('\n').length).toBeLessThan(50)
  })

  it('sees the tools of its credential, in one order, with schemas and true annotations', async () => {
    const tools = await agent.tools()
    expect(tools.map((tool) => tool.name)).toEqual(agentTools)
    expect((await person.tools()).map((tool) => tool.name)).toEqual([...agentTools, 'work.approve', 'work.reject'])
    for (const tool of tools)
      expect([tool.inputSchema.additionalProperties, tool.outputSchema.type, tool.description!.length > 10], tool.name).toEqual([
        false,
        'object',
        true,
      ])
    const submit = tools.find((tool) => tool.name === 'work.submit')!
    expect(submit.inputSchema.required.toSorted()).toEqual(['idempotency_key', 'item_id', 'result'])
    expect(submit.annotations).toMatchObject({ readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false })
    expect(tools.find((tool) => tool.name === 'work.get')!.annotations).toMatchObject({ readOnlyHint: true, destructiveHint: false })
    const checkout = tools.find((tool) => tool.name === 'work.checkout')!.inputSchema
    expect([Object.keys(checkout.properties).toSorted(), checkout.required]).toEqual([['min_priority', 'order_id', 'type', 'wait'], []])
    expect((await person.tools()).find((tool) => tool.name === 'work.approve')!.annotations).toMatchObject({
      destructiveHint: true,
      openWorldHint: true,
    })
  })

  it('carries an order from proposal to applied change', async () => {
    const proposed = await agent.call('work.propose', { type: 'test.echo', payload, idempotency_key: key() })
    expect(proposed.isError, proposed.text).toBe(false)
    const { order } = proposed.value
    const { item } = (await agent.call('work.checkout', { order_id: order.id })).value
    expect(item.input).toEqual({ message: 'hi' })
    expect((await agent.call('work.heartbeat', { item_id: item.id, lease_token: item.lease_token })).value.lease_expires_at).toBeTypeOf(
      'string',
    )

    const wrong = await agent.call('work.submit', {
      item_id: item.id,
      lease_token: item.lease_token,
      result: { echoed: 'ho', ok: true },
      idempotency_key: key(),
    })
    expect([wrong.isError, wrong.value.code, wrong.value.status]).toEqual([true, 'verification_failed', 422])
    expect(wrong.value.errors).toEqual({ echoed: ["echoed must be 'hi'"] })

    const right = await agent.call('work.submit', {
      item_id: item.id,
      lease_token: item.lease_token,
      result: { echoed: 'hi', ok: true },
      idempotency_key: key(),
    })
    expect([right.isError, right.value.order_state], right.text).toEqual([false, 'submitted'])
    const why = await agent.call('work.why', { order_id: order.id })
    expect(why.value).toMatchObject({ waits_for: 'person', state: 'submitted' })
    expect(why.value.review_url).toContain(order.id)

    const approving = person.call('work.approve', {
      order_id: order.id,
      digest: (await person.call('work.get', { order_id: order.id })).value.order.digest,
      idempotency_key: key(),
    })
    await story.server.run('applier').then(async (done) => {
      for (let n = done; n === 0;) n = await story.server.run('applier')
    })
    const approved = await approving
    expect([approved.isError, approved.value.order?.state], approved.text).toEqual([false, 'completed'])
    expect((await agent.call('work.why', { order_id: order.id })).value).toMatchObject({ waits_for: 'nobody', review_url: null })
    const logs = await agent.call('work.logs', { order_id: order.id })
    expect(logs.value.events.map((event: { kind: string }) => event.kind)).toContain('item.submission_refused')
  })

  it('an agent’s key can neither see nor use work.approve, and is told as HTTP tells it', async () => {
    const order = await story.propose()
    await story.fill(order.id)
    const refused = await agent.call('work.approve', { order_id: order.id, idempotency_key: key() })
    const overHttp = await story.agent.post(`/orders/${order.id}/approve`)
    expect(refused.isError).toBe(true)
    const { request_id: _, ...problem } = refused.value
    expect(problem).toEqual(Object.fromEntries(Object.entries(overHttp.body).filter(([name]) => name !== 'request_id')))
    expect(problem.status).toBe(403)
    expect((await story.order(order.id)).state).toBe('submitted')
  })

  it('refuses a late holder, and says to stop', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    await story.server.database.sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [
      item.id,
    ])
    const late = await agent.call('work.submit', {
      item_id: item.id,
      lease_token: item.lease_token,
      result: { echoed: 'hi', ok: true },
      idempotency_key: key(),
    })
    expect([late.isError, late.value.code]).toEqual([true, 'lease_expired'])
    expect(late.text).toMatch(/^lease_expired: .*\nStop working on it/)
  })

  it('teaches: unknown tool, extra argument, missing id, missing key, text for an object', async () => {
    await expect(agent.raw.callTool({ name: 'work_checkout', arguments: {} })).rejects.toThrow(/did you mean work\.checkout\?/)
    const extra = await agent.call('work.submit', { item_id: key(), result: { a: 1 }, confidance: 1, evidense: [], idempotency_key: key() })
    expect([extra.isError, extra.value.code]).toEqual([true, 'validation_failed'])
    expect(extra.value.errors.evidense[0]).toContain("did you mean 'evidence'?")
    expect(extra.value.errors.confidance[0]).toContain('arguments: item_id')
    expect((await agent.call('work.heartbeat', {})).value.errors.item_id[0]).toContain('required')
    expect((await agent.call('work.heartbeat', { item_id: '<item_id>' })).value.code).toBe('id_malformed')
    expect((await agent.call('work.logs', {})).value.detail).toBe('Either item_id or order_id must be provided.')
    expect((await agent.call('work.propose', { type: 'test.echo', payload })).value.code).toBe('idempotency_key_required')
    const text = await agent.call('work.propose', { type: 'test.echo', payload: JSON.stringify(payload), idempotency_key: key() })
    expect(text.value.detail).toContain('send the object itself')
  })

  it('takes the predecessor’s spellings', async () => {
    const order = await story.propose()
    const { item } = (await agent.call('work.checkout', { orderId: order.id })).value
    const done = await agent.call('work.submit', {
      itemId: item.id,
      leaseToken: item.lease_token,
      result: { echoed: 'hi', ok: true },
      idempotencyKey: key(),
      agentId: 'whoever',
    })
    expect(done.value.order_state, done.text).toBe('submitted')
    const logs = await agent.call('work.logs', { itemId: item.id, orderId: order.id })
    expect(logs.value.events.length).toBeGreaterThan(0)
    const twice = await agent.call('work.heartbeat', { itemId: item.id, item_id: item.id })
    expect(twice.value.detail).toContain('given twice')
  })

  it('a key used at one door replays at the other, byte for byte', async () => {
    const first = key()
    const here = await agent.call('work.propose', { idempotency_key: first, payload, type: 'test.echo', priority: 3 })
    const there = await story.agent.post('/propose', { type: 'test.echo', priority: 3, payload }, { key: first })
    expect([there.status, there.headers.get('idempotent-replayed'), there.text]).toEqual([201, 'true', here.text])

    const { item } = (await agent.call('work.checkout', { order_id: here.value.order.id })).value
    const second = key()
    const result = { echoed: 'hi', ok: true }
    const overHttp = await story.agent.post(`/items/${item.id}/submit`, { result, lease_token: item.lease_token }, { key: second })
    const again = await agent.call('work.submit', { item_id: item.id, lease_token: item.lease_token, result, idempotency_key: second })
    expect([again.isError, again.text, again.meta['work-manager/idempotent-replayed']]).toEqual([false, overHttp.text, true])
    expect(again.value).toEqual(overHttp.body)
    const other = await agent.call('work.submit', {
      item_id: item.id,
      lease_token: item.lease_token,
      result: { echoed: 'hi', ok: false },
      idempotency_key: second,
    })
    expect(other.value.code).toBe('idempotency_mismatch')
  })

  it('reads orders, timelines, items and types by address, and only those of its tenant', async () => {
    const order = await story.propose()
    expect((await agent.read(`work://orders/${order.id}`)).order.id).toBe(order.id)
    await story.server.run('sequencer')
    const { order: full } = await agent.read(`work://orders/${order.id}`)
    expect((await agent.read(`work://items/${full.items[0].id}`)).item.id).toBe(full.items[0].id)
    expect((await agent.read(`work://orders/${order.id}/timeline`)).events.length).toBeGreaterThan(0)
    expect((await agent.read('work://types/test.echo')).types[0].schemas.result.properties.echoed).toBeDefined()
    const listed = await agent.raw.listResources()
    expect(listed.resources.map((one: { uri: string }) => one.uri)).toContain('work://types/test.echo')
    const completed = await agent.raw.complete({
      ref: { type: 'ref/resource', uri: 'work://types/{type}' },
      argument: { name: 'type', value: 'test.e' },
    })
    expect(completed.completion.values).toEqual(['test.echo'])
    expect((await agent.raw.listResourceTemplates()).resourceTemplates).toHaveLength(4)
    for (const uri of ['work://orders/../keys', 'file:///etc/passwd', `work://orders/${key()}`, 'work://types/no.such'])
      await expect(agent.read(uri), uri).rejects.toThrow()
    const stranger = await story.server.caller('agent', 'agent-1', { tenant: 'rival' })
    const other = await connect(era, transport, story.server.url, stranger.key)
    await expect(other.read(`work://orders/${order.id}`)).rejects.toThrow(/not_found/)
    await other.close()
  })
})
