/** Orders as large as the server takes them, read by a model: every answer has room in its context, and all of it can be read. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'
import { type ConnectedClient, connect } from './fixtures/clients.ts'
import { tokensOf } from './fit-answer.ts'

let story: Story
let agent: ConnectedClient
beforeAll(async () => {
  story = await startStory()
  agent = await connect('2026-07-28', 'http', story.server.url, story.agent.key)
})
afterAll(async () => {
  await agent.close()
  await story.server.stop()
})

const long = 'Sätze, die kein Ende nehmen. '.repeat(6_000)

async function called(name: string, args: object): Promise<any> {
  const raw = await agent.raw.callTool({ name, arguments: args })
  const texts = raw.content.map((one: { text?: string; uri?: string }) => one.text ?? one.uri)
  expect(
    tokensOf(raw.structuredContent) + texts.reduce((sum: number, text: string) => sum + tokensOf(JSON.parse(JSON.stringify(text))), 0),
  ).toBeLessThan(25_000)
  // The text is the structure, for clients that read only one of them.
  if (!raw.isError) expect(JSON.parse(raw.content[0].text)).toEqual(raw.structuredContent)
  return raw
}

it('an item whose input is long comes with its id, its token and the way to read all of it', async () => {
  const order = await story.propose({ messages: [long] })
  const taken = await called('work_checkout', { order_id: order.id })
  const { item, shortened } = taken.structuredContent
  expect(item).toMatchObject({ order_id: order.id, state: 'leased', heartbeat_every_seconds: expect.any(Number) })
  expect(item.lease_token).toMatch(/^wl\./)
  expect(shortened).toEqual([{ at: '/item/input/message', unit: 'characters', total: long.length, shown: expect.any(Number) }])
  expect(taken.content.find((one: { type: string }) => one.type === 'resource_link')).toMatchObject({ uri: `work://items/${item.id}` })
  expect((await agent.read(`work://items/${item.id}`)).item.input.message).toBe(long)
  let read = ''
  for (let offset: number | null = 0; offset !== null;) {
    const piece: any = (await called('work_get', { item_id: item.id, at: '/item/input/message', offset })).structuredContent
    read += piece.text
    offset = piece.next_offset
  }
  expect(read).toBe(long)
  const lost = await called('work_get', { item_id: item.id, at: '/item/inputs' })
  expect(lost.structuredContent.detail).toContain("did you mean 'input'?")
  const done = await called('work_submit', {
    item_id: item.id,
    lease_token: item.lease_token,
    result: { echoed: long, ok: true },
    idempotency_key: randomUUID(),
  })
  expect(done.structuredContent.order_state).toBe('submitted')
  expect(JSON.stringify(done.structuredContent).length).toBeLessThan(600)
})

it('a list is ids, states and ages; with everything asked for, a page has fewer rows and goes on without a gap', async () => {
  const proposed = []
  for (let n = 0; n < 12; n++)
    proposed.push((await story.propose({ messages: [`${n} ${long.slice(0, 30_000)}`] }, { meta: { batch: 'large' } })).id)
  const thin = await called('work_list', { filter: { meta: 'batch:large' } })
  expect(thin.structuredContent.data).toHaveLength(12)
  expect(Object.keys(thin.structuredContent.data[0])).toEqual([
    'id',
    'type',
    'state',
    'priority',
    'revision',
    'items_total',
    'items_submitted',
    'requested_by_id',
    'created_at',
    'age_seconds',
    'last_transitioned_at',
  ])
  expect(thin.content[0].text.length).toBeLessThan(12 * 420)
  const met = new Set<string>()
  let pages = 0
  for (let cursor: string | null = 'start'; cursor !== null; pages++) {
    const page: any = (await called('work_list', { filter: { meta: 'batch:large' }, full: true, cursor })).structuredContent
    for (const { id } of page.data) {
      expect(met.has(id)).toBe(false)
      met.add(id)
    }
    cursor = page.next_cursor
  }
  expect([...met].toSorted()).toEqual(proposed.toSorted())
  expect(pages).toBeGreaterThan(2)
})

it('an order of many items, its log, and a refusal with long texts', async () => {
  const order = await story.propose({ messages: Array.from({ length: 300 }, (_, n) => `${n} ${'text '.repeat(100)}`) })
  const { order: shown } = (await called('work_get', { order_id: order.id })).structuredContent
  expect([shown.id, shown.items_total, shown.items.length > 20]).toEqual([order.id, 300, true])
  await called('work_get', { order_id: order.id, full: true })
  await called('work_logs', { order_id: order.id, full: true, limit: 100 })
  await called('work_why', { order_id: order.id })
  const refused = await called('work_propose', {
    type: 'test.echo',
    payload: { messages: Array(200).fill('') },
    idempotency_key: randomUUID(),
  })
  expect([refused.isError, refused.structuredContent.code]).toEqual([true, 'payload_invalid'])
})
