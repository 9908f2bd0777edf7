import { cursorSeal, encodeCursor } from '../kernel/operations/cursor.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStory, type Story } from '../../testing/story.ts'

let story: Story
beforeAll(async () => {
  story = await startStory()
})
afterAll(() => story.server.stop())

const walk = async (path: string, member: string) => {
  const rows: any[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const answer = await story.reviewer.get(
      `${path}${path.includes('?') ? '&' : '?'}limit=3${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
    )
    expect(answer.status, answer.text).toBe(200)
    rows.push(...answer.body[member])
    cursor = answer.body.next_cursor
    if (rows.length > 1000) throw new Error('the pages do not end')
  }
  return rows
}

describe('items', () => {
  it('are listed by order, state, type and holder, page by page', async () => {
    const order = await story.propose({ messages: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] })
    const held = await story.take(order.id)
    const inOrder = await walk(`/items?order=${order.id}`, 'data')
    expect(inOrder.map((item) => item.ordinal)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect((await walk(`/items?order=${order.id}&state=leased`, 'data')).map((item) => item.id)).toEqual([held.id])
    expect((await walk(`/items?agent=agent-1&state=leased`, 'data')).map((item) => item.id)).toContain(held.id)
    expect(await walk(`/items?agent=nobody`, 'data')).toEqual([])
    const all = await walk('/items?type=test.echo', 'data')
    expect(new Set(all.map((item) => item.id)).size).toBe(all.length)
    const wrong = await story.reviewer.get('/items?state=open')
    expect([wrong.status, wrong.body.code]).toEqual([422, 'validation_failed'])
    expect(wrong.text).toContain('in_progress')
  })

  it('are read one by one with every submission, and refuse what is no id', async () => {
    const order = await story.propose()
    await story.fill(order.id)
    const [item] = (await story.order(order.id)).items
    const seen = (await story.agent.get(`/items/${item.id}`)).body
    expect(seen.item).toMatchObject({ id: item.id, order_id: order.id, state: 'submitted', result: { echoed: 'hi', ok: true } })
    expect(seen.submissions).toHaveLength(1)
    for (const path of ['/items/x', '/orders/x', '/items/x/logs']) {
      const answer = await story.agent.get(path)
      expect([answer.status, answer.body.code], path).toEqual([404, 'id_malformed'])
    }
  })
})

describe('logs and timeline', () => {
  it('show the events newest first, and resume the timeline behind a number', async () => {
    const order = await story.propose({ messages: ['a', 'b'] })
    await story.fill(order.id)
    await story.server.run('sequencer')
    const logs = await walk(`/orders/${order.id}/logs`, 'events')
    const timeline = (await story.reviewer.get(`/orders/${order.id}/timeline`)).body
    expect(logs.map((event) => event.id)).toEqual(timeline.events.map((event: any) => event.id).reverse())
    expect(timeline.last_seq).toBe(timeline.events.at(-1).seq)
    const middle = timeline.events[2].seq
    const rest = (await story.reviewer.get(`/orders/${order.id}/timeline?after=${middle}`)).body
    expect(rest.events).toEqual(timeline.events.slice(3))
    expect((await story.reviewer.get(`/orders/${order.id}/timeline?after=${timeline.last_seq}`)).body).toEqual({
      events: [],
      last_seq: null,
    })

    const [first, second] = (await story.order(order.id)).items
    const log = await walk(`/items/${first.id}/logs`, 'events')
    expect(log.map((event) => event.item_id)).not.toContain(second.id)
    expect(log.map((event) => event.kind)).toEqual(expect.arrayContaining(['order.proposed', 'item.leased', 'item.submitted']))
    expect((await story.reviewer.get(`/orders/${order.id}/logs?cursor=abc`)).body.code).toBe('cursor_invalid')
  })
})

describe('events and provenance', () => {
  it('are found by agent, model, address, principal, request and kind', async () => {
    const order = await story.propose()
    const headers = { 'x-model-name': 'model-9', 'x-agent-name': 'Robin', 'x-agent-version': '2.1', 'x-runtime': 'node' }
    const leased = await story.agent.post(`/orders/${order.id}/checkout`, {}, { headers: { ...headers, 'x-request-id': 'req-77' } })
    const one = async (query: string) => (await story.reviewer.get(`/events?${query}`)).body.events as any[]
    for (const query of [
      'agent_id=agent-1&model_name=model-9',
      'model_name=model-9',
      'request_id=req-77',
      'principal=agent:agent-1&kind=item.leased',
      'ip=127.0.0.1&model_name=model-9',
    ]) {
      const found = await one(query)
      expect(
        found.map((event) => event.item_id),
        query,
      ).toContain(leased.body.item.id)
    }
    for (const query of ['agent_id=nobody', 'model_name=model-10', 'ip=10.9.9.9', 'request_id=none', 'principal=person:nobody'])
      expect(await one(query), query).toEqual([])
    const wrong = await story.reviewer.get('/events?kind=item.leasd')
    expect([wrong.status, wrong.body.code]).toEqual([422, 'validation_failed'])

    const [event] = await one('request_id=req-77')
    const { provenance } = (await story.reviewer.get(`/provenance?id=${event.provenance_id}`)).body
    expect(provenance).toMatchObject([
      {
        principal: 'agent:agent-1',
        agent_id: 'agent-1',
        agent_name: 'Robin',
        agent_version: '2.1',
        model_name: 'model-9',
        runtime: 'node',
        ip_address: '127.0.0.1',
      },
    ])
    expect((await story.reviewer.get('/provenance?model_name=model-9')).body.provenance).toHaveLength(1)
    expect((await story.reviewer.get('/provenance?agent_id=nobody')).body.provenance).toEqual([])
    const all = await walk('/events', 'events')
    expect(new Set(all.map((one) => one.id)).size).toBe(all.length)
  })

  it('refuse a cursor whose position no database holds', async () => {
    const { tools, tenants } = story.server.manager
    const forged = encodeCursor(cursorSeal(tools.cursorSecret, (await tenants.ensure('acme', 'acme')).id), 'record', [
      '9999999999999999999',
    ])
    expect((await story.reviewer.get(`/events?cursor=${forged}`)).body.code).toBe('cursor_invalid')
  })

  it('an agent key stays its agent, whatever it claims; a service may name one', async () => {
    const order = await story.propose({ messages: ['a', 'b'] })
    await story.agent.post(`/orders/${order.id}/checkout`, {}, { headers: { 'x-agent-id': 'somebody-else' } })
    await story.proposer.post(`/orders/${order.id}/checkout`, {}, { headers: { 'x-agent-id': 'worker-7' } })
    expect((await story.order(order.id)).items.map((item: any) => item.leased_by_agent_id)).toEqual(['agent-1', 'worker-7'])
    const { provenance } = (await story.reviewer.get('/provenance?agent_id=agent-1&limit=100')).body
    expect(provenance.map((row: any) => row.claimed_agent_id)).toContain('somebody-else')
  })
})

describe('records and types', () => {
  it('show what applied orders wrote, page by page', async () => {
    for (let n = 0; n < 4; n++) {
      const order = await story.propose({ messages: [`m${n}`] })
      await story.fill(order.id)
      expect((await story.approve(order.id)).status).toBe(200)
    }
    const rows = await walk('/records/echo', 'data')
    expect(rows.find((row) => row.key === 'applied')).toMatchObject({ value: 4 })
    expect(rows).toHaveLength(5)
    expect((await story.reviewer.get('/records/nothing')).body).toEqual({ data: [], next_cursor: null })
    expect((await story.reviewer.get('/records/echo?cursor=x')).body.code).toBe('cursor_invalid')
  })

  it('list the order types with their schemas', async () => {
    const { types } = (await story.agent.get('/types')).body
    expect(types.map((type: any) => type.type)).toEqual(expect.arrayContaining(['test.echo', 'dependency.license-audit']))
    const [echo] = (await story.agent.get('/types?type=test.echo')).body.types
    expect(echo.schemas.payload.properties.messages.type).toBe('array')
    expect(echo.schemas.result.properties.echoed.type).toBe('string')
  })
})

describe('characters that no text of the database can hold', () => {
  it.each([
    '/orders?filter[type]=%00',
    '/orders?filter[meta]=a:%00',
    '/items?agent=%00',
    '/items?type=%00',
    '/events?principal=%00',
    '/events?request_id=%00',
    '/provenance?agent_id=%00',
    '/records/%00',
    '/types?type=%00',
    '/orders?filter[requested_by_id]=a%00b',
    '/orders?filter[meta]=%7B%22a%22:%22%5Cu0000%22%7D',
    '/orders?filter[meta]=%7B%22a%22:%22%5Cud800%22%7D',
  ])('%s', async (path) => {
    const answer = await story.reviewer.get(path)
    expect(answer.status, answer.text).toBeGreaterThanOrEqual(400)
    expect(answer.status, answer.text).toBeLessThan(500)
  })
})
