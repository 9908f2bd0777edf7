/** Generated from the list of operations: every id that an operation takes, given by another tenant, answers as one that never existed. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Caller } from '../../../testing/test-server.ts'
import { operations } from '../index.ts'
import { type Leased, startStory, type Story } from './fixtures/story.ts'

const absent = '01890a5d-ac96-774b-bcce-b302099a8057'
let story: Story
let strangers: Record<'person' | 'agent', Caller>
let order: { id: string }
let leased: Leased
let key: { id: string }
beforeAll(async () => {
  story = await startStory()
  strangers = { person: await story.server.caller('person', 'zoe', { tenant: 'globex', abilities: ['*'] }), agent: await story.server.caller('agent', 'agent-1', { tenant: 'globex', abilities: ['*'] }) }
  order = await story.propose({ messages: ['a', 'b'] })
  leased = await story.take(order.id)
  const admin = await story.server.caller('person', 'adam')
  key = (await admin.post('/keys', { name: 'k', kind: 'agent', principal_id: 'w', abilities: ['work:view'] })).body
})
afterAll(() => story.server.stop())

const bodies: Record<string, (item: Leased | null) => object> = {
  submit_item: (item) => ({ result: { echoed: item?.input.message ?? 'a', ok: true } }),
  submit_part: () => ({ part_key: 'x', payload: { a: 1 } }),
  fail_item: () => ({ class: 'agent', error: { code: 'x', message: 'x' } }),
  reject_order: () => ({ errors: [{ code: 'x', message: 'x' }] }),
  cancel_order: () => ({ reason: 'x' }),
  requeue_order: () => ({ reason: 'x' }),
  requeue_item: () => ({ reason: 'x' }),
}
const withIds = operations.filter((operation) => /:(order|item|key)\b/.test(operation.http.path))

it('there are such operations', () => expect(withIds.length).toBeGreaterThanOrEqual(18))

it.each(withIds.map((operation) => [operation.name, operation] as const))('%s', async (name, operation) => {
  const path = (ids: { order: string; item: string; key: string }) => operation.http.path.replace(':order', ids.order).replace(':item', ids.item).replace(':key', ids.key)
  const who = operation.peopleOnly ? strangers.person : strangers.agent
  const call = async (ids: { order: string; item: string; key: string }) => {
    const body = { ...bodies[name]?.(leased), ...(/:item\/(heartbeat|submit|parts|finalize|release|fail)$/.test(operation.http.path) && { lease_token: leased.lease_token }) }
    const answer = operation.http.method === 'GET' ? await who.get(path(ids)) : await who.post(path(ids), body)
    const shown = answer.text.replaceAll(answer.body.request_id, 'R').replaceAll(ids.order, 'ID').replaceAll(ids.item, 'ID').replaceAll(ids.key, 'ID')
    return { status: answer.status, code: answer.body.code, shown }
  }
  const before = await digest()
  const foreign = await call({ order: order.id, item: leased.id, key: key.id })
  const never = await call({ order: absent, item: absent, key: absent })
  expect(foreign).toEqual(never)
  expect([foreign.status, foreign.code]).toEqual([404, 'not_found'])
  expect(await digest()).toEqual(before)
})

it('lists show nothing of another tenant', async () => {
  for (const path of ['/orders', `/orders?id=${order.id}`, '/items', `/items?order=${order.id}`, '/records/echo', `/orders?filter[id]=${order.id}&include=events,effects`]) expect((await strangers.person.get(path)).body.data, path).toEqual([])
  expect((await strangers.person.get('/events?principal=agent:agent-1')).text).not.toContain(order.id)
  expect((await strangers.person.get('/keys')).text).not.toContain(key.id)
  expect((await strangers.person.get('/provenance?principal=service:crm')).text).not.toContain('service:crm')
  expect((await strangers.person.post('/checkout')).body.code).toBe('no_items_available')
  expect((await strangers.person.post(`/orders/${order.id}/reject`, { errors: [{ code: 'x', message: 'x' }], items: [leased.id] })).body.code).toBe('not_found')
})

/** Everything of the first tenant's work, in one value. */
async function digest(): Promise<unknown> {
  const [row] = await story.server.database.sql<{ all: string }>(`
    select md5(string_agg(t::text, '|' order by t::text)) as all from (
      select to_jsonb(o) as t from wm.orders o where o.id = $1 union all select to_jsonb(i) from wm.items i where i.order_id = $1
      union all select to_jsonb(e) from wm.events e where e.order_id = $1 union all select to_jsonb(k) from wm.api_keys k where k.id = $2) as rows`, [order.id, key.id])
  return row!.all
}
