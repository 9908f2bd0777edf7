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
  'work_types',
  'work_propose',
  'work_list',
  'work_get',
  'work_why',
  'work_logs',
  'work_checkout',
  'work_heartbeat',
  'work_submit',
  'work_release',
  'work_fail',
  'work_submit_part',
  'work_list_parts',
  'work_finalize',
]
const payload = { messages: ['hi'] }
const key = () => randomUUID()

it('a tool of several operations takes the most exact one first, and says what it does as a whole', () => {
  const shared = buildTools(operations).filter((tool) => tool.operations.length > 1)
  expect(Object.fromEntries(shared.map((tool) => [tool.name, tool.operations.map(({ operation }) => operation.name)]))).toEqual({
    work_checkout: ['checkout_order_item', 'checkout_item'],
    work_get: ['get_item', 'get_order'],
    work_logs: ['get_item_logs', 'get_order_logs'],
  })
  for (const { listed } of shared)
    expect(listed.description).toMatch(
      /^(Take the most urgent ready item of any order|Read an order with its items|Read the events of an item or of an order)/,
    )
})

it('tools that cannot be told apart are refused when they are built', () => {
  const [one, other] = operations.filter(({ tool }) => typeof tool !== 'string')
  expect(() => buildTools([one!, { ...other!, tool: { ...(one!.tool as McpTool) } }])).toThrow('two tools have the name')
  const tool = { name: 'work_both', title: 'Both' }
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
    expect(agent.instructions).toContain('work_checkout')
    const prompt = await agent.raw.getPrompt({ name: 'work_here' })
    expect(prompt.messages[0].content.text).toContain('- test.echo')
    expect(prompt.messages[0].content.text.split('\n').length).toBeLessThan(50)
  })

  it('sees the tools of its credential, in one order, with schemas and true annotations', async () => {
    const tools = await agent.tools()
    expect(tools.map((tool) => tool.name)).toEqual(agentTools)
    expect((await person.tools()).map((tool) => tool.name)).toEqual([...agentTools, 'work_approve', 'work_reject'])
    for (const tool of tools)
      expect([tool.inputSchema.additionalProperties, tool.description!.length > 10], tool.name).toEqual([false, true])
    const submit = tools.find((tool) => tool.name === 'work_submit')!
    expect(submit.inputSchema.required.toSorted()).toEqual(['idempotency_key', 'item_id', 'result'])
    expect(submit.annotations).toMatchObject({ readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false })
    expect(tools.find((tool) => tool.name === 'work_get')!.annotations).toMatchObject({ readOnlyHint: true, destructiveHint: false })
    const checkout = tools.find((tool) => tool.name === 'work_checkout')!.inputSchema
    expect([Object.keys(checkout.properties).toSorted(), checkout.required]).toEqual([['min_priority', 'order_id', 'type', 'wait'], []])
    expect((await person.tools()).find((tool) => tool.name === 'work_approve')!.annotations).toMatchObject({
      destructiveHint: true,
      openWorldHint: true,
    })
  })

  it('carries an order from proposal to applied change', async () => {
    const proposed = await agent.call('work_propose', { type: 'test.echo', payload, idempotency_key: key() })
    expect(proposed.isError, proposed.text).toBe(false)
    const { order } = proposed.value
    const { item } = (await agent.call('work_checkout', { order_id: order.id })).value
    expect(item.input).toEqual({ message: 'hi' })
    expect((await agent.call('work_heartbeat', { item_id: item.id, lease_token: item.lease_token })).value.lease_expires_at).toBeTypeOf(
      'string',
    )

    const wrong = await agent.call('work_submit', {
      item_id: item.id,
      lease_token: item.lease_token,
      result: { echoed: 'ho', ok: true },
      idempotency_key: key(),
    })
    expect([wrong.isError, wrong.value.code, wrong.value.status]).toEqual([true, 'verification_failed', 422])
    expect(wrong.value.errors).toEqual({ echoed: ["echoed must be 'hi'"] })

    const right = await agent.call('work_submit', {
      item_id: item.id,
      lease_token: item.lease_token,
      result: { echoed: 'hi', ok: true },
      idempotency_key: key(),
    })
    expect([right.isError, right.value.order_state], right.text).toEqual([false, 'submitted'])
    const why = await agent.call('work_why', { order_id: order.id })
    expect(why.value).toMatchObject({ waits_for: 'person', state: 'submitted' })
    expect(why.value.review_url).toContain(order.id)

    const approving = person.call('work_approve', {
      order_id: order.id,
      digest: (await person.call('work_get', { order_id: order.id })).value.order.digest,
      idempotency_key: key(),
    })
    await story.server.run('applier').then(async (done) => {
      for (let n = done; n === 0;) n = await story.server.run('applier')
    })
    const approved = await approving
    expect([approved.isError, approved.value.order?.state], approved.text).toEqual([false, 'completed'])
    expect((await agent.call('work_why', { order_id: order.id })).value).toMatchObject({ waits_for: 'nobody', review_url: null })
    const logs = await agent.call('work_logs', { order_id: order.id })
    expect(logs.value.events.map((event: { kind: string }) => event.kind)).toContain('item.submission_refused')
  })

  it('an agent’s key can neither see nor use work_approve, and is told as HTTP tells it', async () => {
    const order = await story.propose()
    await story.fill(order.id)
    const refused = await agent.call('work_approve', { order_id: order.id, idempotency_key: key() })
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
    const late = await agent.call('work_submit', {
      item_id: item.id,
      lease_token: item.lease_token,
      result: { echoed: 'hi', ok: true },
      idempotency_key: key(),
    })
    expect([late.isError, late.value.code]).toEqual([true, 'lease_expired'])
    expect(late.text).toMatch(/^lease_expired: .*\nStop working on it/)
  })

  it('teaches: unknown tool, extra argument, missing id, missing key, text for an object', async () => {
    await expect(agent.raw.callTool({ name: 'work_chekout', arguments: {} })).rejects.toThrow(/did you mean work_checkout\?/)
    const extra = await agent.call('work_submit', { item_id: key(), result: { a: 1 }, confidance: 1, evidense: [], idempotency_key: key() })
    expect([extra.isError, extra.value.code]).toEqual([true, 'validation_failed'])
    expect(extra.value.errors.evidense[0]).toContain("did you mean 'evidence'?")
    expect(extra.value.errors.confidance[0]).toContain('arguments: item_id')
    expect((await agent.call('work_heartbeat', {})).value.errors.item_id[0]).toContain('required')
    expect((await agent.call('work_heartbeat', { item_id: '<item_id>' })).value.code).toBe('id_malformed')
    expect((await agent.call('work_logs', {})).value.detail).toBe('Either item_id or order_id must be provided.')
    expect((await agent.call('work_propose', { type: 'test.echo', payload })).value.code).toBe('idempotency_key_required')
    const text = await agent.call('work_propose', { type: 'test.echo', payload: '{"messages": [}', idempotency_key: key() })
    expect(text.value.detail).toMatch(/^'payload' is text that is no valid JSON \(line 1, column 2\d.*send the object itself/)
    const empty = await agent.call('work_checkout', { order_id: '' })
    expect([empty.value.code, empty.value.detail]).toEqual([
      'validation_failed',
      "'order_id' is empty; leave it out, or give the id of an order.",
    ])
    const none = await agent.call('work_submit', { item_id: ' ', result: { a: 1 }, idempotency_key: key() })
    expect(none.value.errors.item_id).toEqual(["'item_id' is empty; give the id of the item, from the answer that named it."])
  })

  it('takes null for what is left out, and an object as its text where no text fits', async () => {
    const proposal = { type: 'test.echo', payload: JSON.stringify(payload), meta: null, priority: null }
    const proposed = await agent.call('work_propose', { ...proposal, idempotency_key: key() })
    expect(proposed.isError, proposed.text).toBe(false)
    const { item } = (await agent.call('work_checkout', { order_id: proposed.value.order.id, type: null, wait: null, min_priority: null }))
      .value
    const done = await agent.call('work_submit', {
      item_id: item.id,
      lease_token: item.lease_token,
      result: '{"echoed": "hi", "ok": true}',
      evidence: '[]',
      notes: null,
      idempotency_key: key(),
    })
    expect(done.value.order_state, done.text).toBe('submitted')
    expect((await agent.call('work_list', { page: { number: null, size: 1 }, filter: null, cursor: null })).value.data).toHaveLength(1)
    expect([undefined, 'no_items_available']).toContain((await agent.call('work_checkout', { order_id: null })).value.code)
    // What is required is not left out by null, and a text where a text fits stays one.
    expect((await agent.call('work_heartbeat', { item_id: null })).value.errors.item_id[0]).toContain('required')
    const same = key()
    const asObject = await agent.call('work_propose', { type: 'test.echo', payload, idempotency_key: same })
    const asText = await agent.call('work_propose', { type: 'test.echo', payload: JSON.stringify(payload), idempotency_key: same })
    expect([asText.meta['work-manager/idempotent-replayed'], asText.value.order.id]).toEqual([true, asObject.value.order.id])
  })

  it('understands the names of tools as they were', async () => {
    for (const name of ['work.types', 'work_types', 'work-types']) expect((await agent.call(name)).value.types, name).toBeDefined()
  })

  it('takes the predecessor’s spellings', async () => {
    const order = await story.propose()
    const { item } = (await agent.call('work_checkout', { orderId: order.id })).value
    const done = await agent.call('work_submit', {
      itemId: item.id,
      leaseToken: item.lease_token,
      result: { echoed: 'hi', ok: true },
      idempotencyKey: key(),
      agentId: 'whoever',
    })
    expect(done.value.order_state, done.text).toBe('submitted')
    const logs = await agent.call('work_logs', { itemId: item.id, orderId: order.id })
    expect(logs.value.events.length).toBeGreaterThan(0)
    const twice = await agent.call('work_heartbeat', { itemId: item.id, item_id: item.id })
    expect(twice.value.detail).toContain('given twice')
  })

  it('a key used at one door replays at the other', async () => {
    const first = key()
    const here = await agent.call('work_propose', { idempotency_key: first, payload, type: 'test.echo', priority: 3 })
    const there = await story.agent.post('/propose', { type: 'test.echo', priority: 3, payload }, { key: first })
    expect([there.status, there.headers.get('idempotent-replayed')]).toEqual([201, 'true'])
    expect(there.body.order).toMatchObject({ id: here.value.order.id, created_at: here.value.order.created_at })

    const { item } = (await agent.call('work_checkout', { order_id: here.value.order.id })).value
    const second = key()
    const result = { echoed: 'hi', ok: true }
    const overHttp = await story.agent.post(`/items/${item.id}/submit`, { result, lease_token: item.lease_token }, { key: second })
    const again = await agent.call('work_submit', { item_id: item.id, lease_token: item.lease_token, result, idempotency_key: second })
    expect([again.isError, again.meta['work-manager/idempotent-replayed']]).toEqual([false, true])
    expect(overHttp.body).toMatchObject({
      state: again.value.state,
      order_state: again.value.order_state,
      item: { id: again.value.item.id },
    })
    const whole = await agent.call('work_submit', {
      item_id: item.id,
      lease_token: item.lease_token,
      result,
      idempotency_key: second,
      full: true,
    })
    expect(whole.value).toEqual(overHttp.body)
    const other = await agent.call('work_submit', {
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
