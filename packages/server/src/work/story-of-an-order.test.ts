/** The correlation id of the call that proposed goes with the order to every event, whoever acts, and out with what is published. */
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../../sdk/src/index.ts'
import { startStory, type Story } from '../../testing/story.ts'
import { connect } from '../doors/mcp/fixtures/clients.ts'
import { toMessage } from '../ledger/publishers/cloud-event.ts'
import { readEvents } from '../ledger/publishers/cursors.store.ts'
import { defineOrderType } from './order-types/define-order-type.ts'

const telling = defineOrderType({
  type: 'test.telling',
  payload: Type.Object({ note: Type.String() }),
  result: Type.Object({ done: Type.Boolean() }),
  plan: ({ payload }) => [{ input: payload }, { input: payload }],
  apply(context) {
    context.effect('tell', {})
    return context.diff({}, {})
  },
  effects: { tell: { deduplicates: true, run: async () => ({ told: true }) } },
})

interface Event {
  readonly seq: number
  readonly id: string
  readonly kind: string
  readonly correlation_id: string
  readonly causation_id: string | null
  readonly session_key: string | null
  readonly subject_type: string
  readonly subject_id: string
  readonly root_id: string
  readonly label: string
}
let story: Story
beforeAll(async () => {
  story = await startStory({ types: [telling] })
})
afterAll(() => story.server.stop())

const proposal = { type: 'test.telling', payload: { note: 'n' } }
const eventsOf = async (order: string): Promise<Event[]> => (await story.reviewer.get(`/orders/${order}/timeline`)).body.events

/** The whole life of the order, by callers who name other stories of their own. */
async function live(order: string): Promise<void> {
  const own = (n: number) => ({ headers: { 'x-correlation-id': `another-story-${n}`, 'x-session-key': 'another' } })
  const take = async (n: number) => (await story.agent.post(`/orders/${order}/checkout`, {}, own(n))).body.item
  const first = await take(1)
  await story.agent.post(`/items/${first.id}/heartbeat`, { lease_token: first.lease_token }, own(2))
  const failed = { lease_token: first.lease_token, class: 'transient', error: { code: 'x', message: 'x' } }
  expect((await story.agent.post(`/items/${first.id}/fail`, failed, own(3))).status).toBe(200)
  await story.server.database.sql(`update wm.items set available_at = now() where id = $1`, [first.id])
  await story.server.run('retry-scheduler')
  for (const n of [4, 5]) {
    const item = await take(n)
    expect(
      (await story.agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { done: true } }, own(n))).status,
    ).toBe(202)
  }
  expect((await story.approve(order)).status).toBe(200)
  await story.server.run('effect-runner')
}

describe('one story', () => {
  it('is on every event of the order, its items and its effects, and in every message that is published of them', async () => {
    const headers = { 'x-correlation-id': 'ticket:4711/a', 'x-session-key': 'night-shift' }
    const proposed = await story.proposer.post('/propose', proposal, { headers })
    expect(proposed.headers.get('x-correlation-id')).toBe('ticket:4711/a')
    const order = proposed.body.order.id as string
    await live(order)

    const events = await eventsOf(order)
    const kinds = new Set(events.map(({ kind }) => kind))
    for (const kind of [
      'order.proposed',
      'item.leased',
      'item.in_progress',
      'item.failed',
      'item.retried',
      'item.submitted',
      'order.submitted',
      'order.approved',
      'order.applied',
      'item.completed',
      'order.completed',
      'effect.delivered',
    ])
      expect(kinds, kind).toContain(kind)
    for (const event of events)
      expect(event, event.kind).toMatchObject({
        correlation_id: 'ticket:4711/a',
        session_key: 'night-shift',
        root_id: order,
        label: 'test.telling',
        subject_type: event.kind.split('.')[0],
      })
    // Who reads the story by its id reads all of it.
    expect((await story.reviewer.get('/events?correlation_id=ticket:4711/a&limit=100')).body.events.toReversed()).toEqual(events)

    const approved = events.find(({ kind }) => kind === 'order.approved')!
    const caused = events.filter(({ causation_id: cause }) => cause === approved.id).map(({ kind }) => kind)
    expect(new Set(caused)).toEqual(new Set(['order.applied', 'item.accepted', 'item.completed', 'order.completed', 'effect.delivered']))

    const [{ id: tenant }] = (await story.server.database.sql<{ id: string }>(`select id from wm.tenants where slug = 'acme'`)) as [
      { id: string },
    ]
    const range = { after: 0, through: Number.MAX_SAFE_INTEGER, ahead: [], kinds: ['*'], limit: 1000 }
    const messages = (await readEvents(story.server.manager.tools.system, tenant, range))
      .filter(({ root_id: root }) => root === order)
      .map((event) => JSON.parse(toMessage(tenant, 'urn:test', event).body) as Record<string, string>)
    expect(messages).toHaveLength(events.length)
    for (const message of messages) expect(message).toMatchObject({ correlationid: 'ticket:4711/a', partitionkey: order })
    expect(messages.find(({ type }) => type!.includes('order.applied'))!.causationid).toBe(approved.id)
  })

  it('is made up for who names none, and said in the answer', async () => {
    const proposed = await story.proposer.post('/propose', proposal)
    const made = proposed.headers.get('x-correlation-id')!
    expect(made).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/)
    await live(proposed.body.order.id)
    expect(new Set((await eventsOf(proposed.body.order.id)).map((event) => event.correlation_id))).toEqual(new Set([made]))
  })

  it('of what has no order is that of the call', async () => {
    const headers = { 'x-correlation-id': 'incident-0815' }
    await story.reviewer.post('/pauses', { agent: 'nobody', reason: 'a try' }, { headers })
    expect((await story.reviewer.get('/events?correlation_id=incident-0815')).body.events).toMatchObject([
      { kind: 'pause.set', label: 'agent:nobody' },
    ])
  })

  it('is on refusals, too, and a malformed one is refused', async () => {
    const refused = await story.agent.get('/orders/00000000-0000-4000-8000-000000000000', { 'x-correlation-id': 'incident-0816' })
    expect([refused.status, refused.headers.get('x-correlation-id')]).toEqual([404, 'incident-0816'])
    for (const [headers, code] of [
      [{ 'x-correlation-id': 'short' }, 'correlation_id_malformed'],
      [{ 'x-correlation-id': 'with a space in it' }, 'correlation_id_malformed'],
      [{ 'x-correlation-id': 'x'.repeat(129) }, 'correlation_id_malformed'],
      [{ 'x-session-key': '<script>' }, 'session_key_malformed'],
    ] as const) {
      const answer = await story.agent.get('/status', headers)
      expect([answer.status, answer.body.code]).toEqual([400, code])
      expect(answer.body.detail).toMatch(/^X-/)
      expect(answer.headers.get('x-correlation-id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it.each(['2025-11-25', '2026-07-28'] as const)('is named over MCP %s in _meta', async (era) => {
    const client = await connect(era, 'http', story.server.url, story.proposer.key)
    try {
      const named = { 'dev.workmanager/correlation-id': `story-of-${era}`, 'dev.workmanager/session-key': 'chat-7' }
      const call = (meta: object) =>
        client.raw.callTool({ name: 'work_propose', arguments: { ...proposal, idempotency_key: JSON.stringify(meta) }, _meta: meta })
      const { structuredContent: made } = await call(named)
      const [row] = await story.server.database.sql(`select correlation_id, session_key from wm.orders where id = $1`, [made.order.id])
      expect(row).toEqual({ correlation_id: `story-of-${era}`, session_key: 'chat-7' })
      const refused = await call({ 'dev.workmanager/correlation-id': 'no' })
      expect([refused.isError, refused.structuredContent?.code ?? refused.content[0].text]).toEqual([
        true,
        expect.stringContaining('correlation_id_malformed'),
      ])
    } finally {
      await client.close()
    }
  })

  it('is named by a call of the SDK', async () => {
    const client = createClient({ url: story.server.url, key: story.proposer.key })
    const { order } = await client.proposeOrder(proposal, { correlationId: 'call-of-the-sdk', sessionKey: 's-1' })
    const [row] = await story.server.database.sql('select correlation_id, session_key from wm.orders where id = $1', [order.id])
    expect(row).toEqual({ correlation_id: 'call-of-the-sdk', session_key: 's-1' })
  })
})
