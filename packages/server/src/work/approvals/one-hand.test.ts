/**
 * Whoever makes or rotates a person's key counts as that person. Every way to take part in an order, every way that two principals can be one
 * hand, and every door to an approval.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStory, type Story, whileApplying } from '../../../testing/story.ts'
import { createCaller, type Answer, type Caller } from '../../../testing/test-server.ts'
import { systemActor } from '../../kernel/store/events.ts'
import { operations } from '../../systems.ts'
import { approveOrder } from '../api.ts'

let story: Story
let mallory: Caller
beforeAll(async () => {
  story = await startStory()
  mallory = await story.server.caller('person', 'mallory')
})
afterAll(() => story.server.stop())

let people = 0
const wanted = (id: string) => ({ kind: 'person', principal_id: id, name: id, abilities: ['work:*', 'admin:keys'] })
const as = (key: string): Caller => createCaller(story.server.url, key, 'x')
const redeem = async (answer: Answer): Promise<Caller> => {
  expect(answer.body.invitation, answer.text).toMatch(/^wm_i_/)
  return as((await as(answer.body.invitation).post('/keys/claim')).body.key)
}
const keyIdOf = async (id: string): Promise<string> =>
  (
    await story.server.database.sql<{ id: string }>(
      `select id from wm.api_keys where principal_id = $1 order by created_at desc, id desc limit 1`,
      [id],
    )
  )[0]!.id

/** A colleague of mallory, and how mallory got a key of theirs. */
const hands: Record<string, () => Promise<Caller>> = {
  'made it': async () => redeem(await mallory.post('/keys', wanted(`colleague-${++people}`))),
  'rotated it': async () => {
    const id = `colleague-${++people}`
    await story.server.caller('person', id)
    return redeem(await mallory.post(`/keys/${await keyIdOf(id)}/rotate`))
  },
  'made one, and rotated that one in the name of the colleague': async () => {
    const id = `colleague-${++people}`
    const first = await redeem(await mallory.post('/keys', wanted(id)))
    return as((await first.post(`/keys/${await keyIdOf(id)}/rotate`)).body.key)
  },
  'made one, and another one with that one': async () => {
    const id = `colleague-${++people}`
    const first = await redeem(await mallory.post('/keys', wanted(id)))
    return as((await first.post('/keys', wanted(id))).body.key)
  },
  'made one of somebody, who made one of the colleague': async () => {
    const first = await redeem(await mallory.post('/keys', wanted(`between-${++people}`)))
    return redeem(await first.post('/keys', wanted(`colleague-${++people}`)))
  },
}
/** What one can have to do with an order. Returns its id, ready for approval. */
const parts: Record<string, (who: Caller) => Promise<string>> = {
  'proposed it': async (who) => {
    const { body } = await who.post('/propose', { type: 'test.echo', payload: { messages: ['x'] } })
    await story.fill(body.order.id)
    return body.order.id
  },
  'handed in work': async (who) => {
    const { id } = await story.propose()
    await story.fill(id, who)
    return id
  },
  'held an item': async (who) => {
    const { id } = await story.propose()
    const item = await story.take(id, who)
    await who.post(`/items/${item.id}/release`, { lease_token: item.lease_token })
    await story.fill(id)
    return id
  },
}
/** Each door to an approval; the command line and the SDK go through the first. */
const doors: Record<string, (who: Caller, id: string) => Promise<string | undefined>> = {
  HTTP: async (who, id) => (await who.post(`/orders/${id}/approve`, {})).body.code,
  MCP: async (who, id) => {
    const response = await fetch(`${story.server.url}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${who.key}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'work_approve', arguments: { order_id: id, idempotency_key: `k-${id}` } },
      }),
    })
    return /separation_of_duties/.exec(await response.text())?.[0]
  },
  'other systems (work/api.ts)': async (who, id) => {
    const [row] = await story.server.database.sql<{ tenant_id: string; id: string; who: string }>(
      `select tenant_id, id, 'person:' || principal_id as who from wm.api_keys where prefix = $1`,
      [who.key.split('_')[2]],
    )
    const { digest } = await story.order(id)
    const decision = {
      orderId: id,
      digest,
      actor: systemActor('test'),
      decider: { principal: row!.who, kind: 'person' as const, keyId: row!.id },
    }
    return approveOrder(story.server.manager.tools, row!.tenant_id, decision).then(
      () => undefined,
      (error: { code: string }) => error.code,
    )
  },
}

it('every verb that decides about an order is one of these doors, or is known to need no such look', () => {
  const deciding = operations.filter(({ ability }) => ability === 'work:approve' || ability === 'work:reject').map(({ name }) => name)
  // To reject is to say no to one's own or to others' work: nobody gains by it, and nothing is changed.
  expect(deciding.toSorted()).toEqual(['approve_order', 'reject_order'])
})

describe.each(Object.keys(hands))('a person who %s', (hand) => {
  it.each(Object.keys(parts))('and %s does not approve it with that key, at no door', async (part) => {
    const colleague = await hands[hand]!()
    const id = await parts[part]!(mallory)
    for (const [door, approve] of Object.entries(doors)) expect(await approve(colleague, id), door).toBe('separation_of_duties')
    expect((await story.order(id)).state).toBe('submitted')
  })

  it.each(Object.keys(parts))('does not approve what the colleague has to do with: %s', async (part) => {
    const id = await parts[part]!(await hands[hand]!())
    for (const [door, approve] of Object.entries(doors)) expect(await approve(mallory, id), door).toBe('separation_of_duties')
  })
})

it('says why; and whoever took no part, or whose key nobody else made, approves', async () => {
  const colleague = await hands['made it']!()
  const id = await parts['proposed it']!(mallory)
  const refused = await colleague.post(`/orders/${id}/approve`, {})
  expect(refused.body.detail).toBe(
    'Somebody else must approve it: your key was made or rotated by person:mallory, who took part in the order.',
  )
  const foreign = await story.propose()
  await story.fill(foreign.id)
  expect((await whileApplying(story.server, colleague.post(`/orders/${foreign.id}/approve`, {}))).status).toBe(200)
  expect((await story.approve(id)).status).toBe(200)
})
