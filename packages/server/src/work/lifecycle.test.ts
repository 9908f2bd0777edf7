import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Caller, startTestServer, type TestServer, until } from '../../testing/test-server.ts'
import { echoType } from '../../testing/echo-type.ts'

let server: TestServer
let proposer: Caller
let agent: Caller
let reviewer: Caller

beforeAll(async () => {
  server = await startTestServer({ types: [echoType] })
  proposer = await server.caller('service', 'crm')
  agent = await server.caller('agent', 'agent-1')
  reviewer = await server.caller('person', 'rita')
})
afterAll(() => server.stop())

describe('one order from proposal to applied change', () => {
  it('leaves the happy trail of events, in order and numbered without a gap', async () => {
    const proposed = await proposer.post('/propose', {
      type: 'test.echo',
      payload: { messages: ['hi'] },
      meta: { batch_id: 42 },
      priority: 10,
    })
    expect(proposed.status, proposed.text).toBe(201)
    const { id } = proposed.body.order
    expect(proposed.body.order).toMatchObject({
      state: 'queued',
      priority: 10,
      requested_by_id: 'crm',
      payload: { messages: ['hi'] },
      meta: { batch_id: 42 },
      items_total: 1,
    })

    const checkout = await agent.post(`/orders/${id}/checkout`, {}, { key: null })
    expect(checkout.status, checkout.text).toBe(200)
    const { item } = checkout.body
    expect(item).toMatchObject({ type: 'test.echo', order_id: id, input: { message: 'hi' }, attempt: 1 })

    const beat = await agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null })
    expect(beat.status, beat.text).toBe(200)

    const submit = await agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { echoed: 'hi', ok: true } })
    expect(submit.status, submit.text).toBe(202)
    expect(submit.body).toMatchObject({
      state: 'submitted',
      order_state: 'submitted',
      item: { result: { echoed: 'hi', ok: true }, leased_by_agent_id: null },
    })

    const seen = await reviewer.get(`/orders/${id}`)
    expect(seen.body.order.digest).toMatch(/^sha256:/)
    const approved = await reviewer.post(`/orders/${id}/approve`, { digest: seen.body.order.digest })
    expect(approved.status, approved.text).toBe(200)
    expect(approved.body.order.state).toBe('completed')
    expect(approved.body.diff).toMatchObject({ after: { messages: ['hi'] }, summary: 'Echoed 1' })

    const timeline = await until(async () => {
      const answer = await reviewer.get(`/orders/${id}/timeline`)
      return answer.body.events.length >= 14 && answer.body
    }, 'the whole timeline is sequenced')
    expect(timeline.events.map((event: { kind: string }) => event.kind)).toEqual([
      'order.proposed',
      'order.planned',
      'item.leased',
      'order.checked_out',
      'item.in_progress',
      'order.in_progress',
      'item.submitted',
      'order.submitted',
      'order.approved',
      'order.applied',
      'item.accepted',
      'item.completed',
      'order.completed',
      'effect.delivered',
    ])
    const seqs = timeline.events.map((event: { seq: number }) => event.seq)
    expect(seqs).toEqual(seqs.map((_: number, n: number) => seqs[0] + n))
  })
})
