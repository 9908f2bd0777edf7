import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'
import { simulateOrder } from './simulate-order.ts'

describeVerb(simulateOrder, {
  succeeds: ({ body }) => {
    expect(body).toMatchObject({ simulated: true, items_omitted: 0, order: { state: 'queued' } })
  },
  refuses: {
    order_type_not_found: (_side, input) => ({ ...input, type: 'example.eco' }),
    payload_invalid: (_side, input) => ({ ...input, payload: { messages: 'hello' } }),
  },
})

const wide = defineOrderType({
  type: 'test.wide',
  payload: Type.Object({ count: Type.Integer(), broken: Type.Optional(Type.Boolean()) }),
  input: Type.Object({ n: Type.Integer() }),
  result: Type.Object({ done: Type.Boolean() }),
  plan({ payload }) {
    if (payload.broken) throw new Error('the catalogue is closed')
    return Array.from({ length: payload.count }, (_, n) => ({ input: { n } }))
  },
  apply: (context) => context.diff({}, {}),
})

let story: Story
beforeAll(async () => {
  story = await startStory({ types: [wide], config: { propose: { max_open_per_principal: 100 } } })
})
afterAll(() => story.server.stop())

/** How many rows every table of ours holds. */
async function rows(): Promise<Record<string, number>> {
  const tables = await story.server.database.sql<{ name: string }>(
    `select c.relname as name from pg_class c where c.relnamespace = 'wm'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`,
  )
  const counted: Record<string, number> = {}
  for (const { name } of tables)
    counted[name] = (await story.server.database.sql<{ n: number }>(`select count(*)::int as n from wm.${name}`))[0]!.n
  return counted
}
const simulate = (body: object, who = story.proposer) => who.post('/simulate', body, { key: null })

describe('simulate', () => {
  it('says what would be planned and writes nothing, not even who asked; the next order is proposed as if nobody had', async () => {
    const newcomer = await story.server.caller('service', 'newcomer')
    const before = await rows()
    const answer = await simulate({ type: 'test.wide', payload: { count: 130 }, priority: 7, meta: { batch: 1 } }, newcomer)
    expect(answer.status, answer.text).toBe(200)
    expect(answer.body).toMatchObject({
      simulated: true,
      items_count: 130,
      items_omitted: 30,
      order: { type: 'test.wide', state: 'queued', priority: 7, meta: { batch: 1 }, items_total: 130, requested_by_id: 'newcomer' },
    })
    expect(answer.body.items).toHaveLength(100)
    expect(answer.body.items[0]).toMatchObject({ ordinal: 0, type: 'test.wide', input: { n: 0 }, parts_required: null })
    expect(await rows()).toEqual(before)
    expect((await newcomer.get(`/orders/${answer.body.order.id}`)).status).toBe(404)
  })

  it('is what propose?simulate=1 does, whose key stays free', async () => {
    const body = { type: 'test.echo', payload: { messages: ['a'] } }
    const tester = await story.server.caller('service', 'tester')
    const before = await rows()
    const answer = await tester.post('/propose?simulate=1', body, { key: 'try-first' })
    expect([answer.status, answer.body.simulated, answer.body.items_count]).toEqual([200, true, 1])
    expect(await rows()).toEqual(before)
    const real = await tester.post('/propose', body, { key: 'try-first' })
    expect([real.status, real.body.simulated]).toEqual([201, undefined])
    expect((await story.proposer.get(`/orders/${real.body.order.id}`)).status).toBe(200)
  })

  it('refuses what proposing would refuse: a plan that breaks or is empty, a pause', async () => {
    expect((await simulate({ type: 'test.wide', payload: { count: 1, broken: true } })).body.code).toBe('plan_failed')
    expect((await simulate({ type: 'test.wide', payload: { count: 0 } })).body.code).toBe('empty_plan')
    expect((await story.reviewer.post('/pauses', { agent: 'crm', reason: 'too loud' }, { key: null })).status).toBe(200)
    const paused = await simulate({ type: 'test.echo', payload: { messages: ['a'] } })
    const proposed = await story.proposer.post('/propose', { type: 'test.echo', payload: { messages: ['a'] } })
    expect([paused.status, paused.body.code]).toEqual([proposed.status, proposed.body.code])
  })
})
