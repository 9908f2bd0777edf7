/** What a person was shown of an order, and what a decision on something else is told. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Caller } from '../../../testing/test-server.ts'
import { closeGate } from '../../../testing/row-gate.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { shownMembers, whatChanged } from './shown-members.ts'

let strict: Story
let other: Caller
let stranger: Caller
beforeAll(async () => {
  strict = await startStory({ config: { approval: { require_digest: true } } })
  other = await strict.server.caller('person', 'otto')
  stranger = await strict.server.caller('person', 'rita', { tenant: 'globex' })
})
afterAll(() => strict.server.stop())

const full = async (messages = ['hi']) => {
  const order = await strict.propose({ messages })
  await strict.fill(order.id)
  return order.id
}
const show = async (id: string, who = strict.reviewer) =>
  (await who.get(`/orders/${id}`)).body.order as { digest: string; items: { id: string }[] }
const approve = (id: string, body: object = {}, who = strict.reviewer) => who.post(`/orders/${id}/approve`, body)
const shownTo = (id: string) =>
  strict.server.database.sql<{ principal: string; digest: string }>(
    'select principal, digest from wm.shown_orders where order_id = $1 order by principal',
    [id],
  )
/** Handed in again with other words, as after a rework. */
const handInAgain = async (id: string, notes: string) => {
  await other.post(`/orders/${id}/reject`, { errors: [{ code: 'wrong', message: 'Again.' }], allow_rework: true })
  for (;;) {
    const { status, body } = await strict.agent.post(`/orders/${id}/checkout`, {})
    if (status !== 200) return
    const { id: item, lease_token, input } = body.item
    await strict.agent.post(`/items/${item}/submit`, { lease_token, result: { echoed: input.message, ok: true }, notes })
  }
}

describe('approving by the id alone', () => {
  it('says that the order was never shown to whoever approves, that it is as it was shown, and what is there now', async () => {
    const id = await full()
    const never = await approve(id)
    expect([never.status, never.body.code, never.body.shown]).toEqual([422, 'digest_required', null])
    expect(never.body.detail).toContain('not been shown to you')
    const { digest } = await show(id)
    const same = await approve(id)
    expect(same.body).toMatchObject({ code: 'digest_required', digest, shown: { digest }, changes: [] })
    expect((await strict.approve(id, strict.reviewer, { digest })).status).toBe(200)
  })

  it('says what changed since it was shown', async () => {
    const id = await full(['one', 'two'])
    const { digest, items } = await show(id)
    await handInAgain(id, 'second thoughts')
    const changed = await approve(id)
    expect(changed.body).toMatchObject({
      code: 'digest_required',
      shown: { digest },
      changes_omitted: 0,
      changes: [
        { pointer: '/revision', change: 'changed' },
        { pointer: '/items/0/notes', change: 'added', item_id: items[0]!.id },
        { pointer: '/items/1/notes', change: 'added', item_id: items[1]!.id },
      ],
    })
    expect(changed.body.detail).toContain('/items/0/notes was added')
    // The same, when the digest is named that was shown.
    const stale = await approve(id, { digest })
    expect([stale.status, stale.body.code]).toEqual([412, 'content_changed'])
    expect(stale.body.changes).toEqual(changed.body.changes)
    expect((await strict.approve(id, strict.reviewer, { digest: (await show(id)).digest })).status).toBe(200)
  })

  it.each([
    ['payload', `payload = '{"messages": ["another"]}'`],
    ['meta', `meta = '{"account": "another"}'`],
    ['priority', 'priority = 7'],
  ])('names a changed %s', async (member, change) => {
    const id = await full()
    await show(id)
    await strict.server.database.sql(`update wm.orders set ${change} where id = $1`, [id])
    expect((await approve(id)).body.changes).toEqual([{ pointer: `/${member}`, change: member === 'meta' ? 'added' : 'changed' }])
  })

  it('does not count what somebody else was shown, here or in another tenant', async () => {
    const id = await full()
    await show(id, other)
    expect((await approve(id)).body.shown).toBeNull()
    expect((await stranger.get(`/orders/${id}`)).status).toBe(404)
    expect((await approve(id, {}, stranger)).body.code).toBe('not_found')
    await strict.agent.get(`/orders/${id}`)
    expect((await shownTo(id)).map((row) => row.principal)).toEqual(['person:otto'])
  })
})

describe('where the digest need not be named', () => {
  it('an order that was shown is approved as it was shown, or not at all', async () => {
    const lax = await startStory({ config: { approval: { require_digest: false } } })
    try {
      const order = await lax.propose()
      await lax.fill(order.id)
      await lax.reviewer.get(`/orders/${order.id}`)
      await lax.server.database.sql('update wm.orders set priority = 9 where id = $1', [order.id])
      const stale = await lax.reviewer.post(`/orders/${order.id}/approve`)
      expect([stale.status, stale.body.code, stale.body.changes]).toEqual([
        412,
        'content_changed',
        [{ pointer: '/priority', change: 'changed' }],
      ])
      await lax.reviewer.get(`/orders/${order.id}`)
      expect((await lax.approve(order.id)).status).toBe(200)
    } finally {
      await lax.server.stop()
    }
  })
})

it('a change that lands between the look and the decision is told as well', async () => {
  const id = await full()
  const { digest } = await show(id)
  const gate = await closeGate(strict.server.database, 'select from wm.orders where id = $1 for update', [id])
  const deciding = approve(id, { digest })
  await gate.waiting()
  await gate.sql(`update wm.orders set priority = 8 where id = $1`, [id])
  await gate.open()
  const answer = await deciding
  expect([answer.status, answer.body.code, answer.body.changes]).toEqual([
    412,
    'content_changed',
    [{ pointer: '/priority', change: 'changed' }],
  ])
})

it('is forgotten after a quarter of a year', async () => {
  const id = await full()
  await show(id)
  await strict.server.run('shown-order-pruner')
  expect(await shownTo(id)).toHaveLength(1)
  await strict.server.database.sql(`update wm.shown_orders set shown_at = shown_at - interval '91 days' where order_id = $1`, [id])
  await strict.server.run('shown-order-pruner')
  expect(await shownTo(id)).toEqual([])
})

describe('what changed', () => {
  const of = (order: Record<string, string>, ...items: Record<string, string>[]) =>
    shownMembers(
      order,
      items.map((members, n) => ({ id: `item-${n}`, ordinal: n, members })),
    )

  it('names members that came, went and changed, and items, with JSON pointers', () => {
    const before = of({ 'a/b': 'sha256:1', payload: 'sha256:2' }, { result: 'sha256:3' }, { result: 'sha256:4' })
    const now = of({ 'a/b': 'sha256:9', payload: 'sha256:2' }, { result: 'sha256:3' })
    expect(whatChanged(before, now)).toEqual({
      changes: [
        { pointer: '/a~1b', change: 'changed' },
        { pointer: '/items/1', change: 'removed', item_id: 'item-1' },
      ],
      omitted: 0,
    })
    expect(whatChanged(now, before).changes.at(-1)).toEqual({ pointer: '/items/1', change: 'added', item_id: 'item-1' })
  })

  it('is bounded, and says so; of too many items it knows only the order', () => {
    const items = (digest: string, count: number) => Array.from({ length: count }, () => ({ result: digest }))
    const { changes, omitted } = whatChanged(of({}, ...items('sha256:1', 80)), of({}, ...items('sha256:2', 80)))
    expect([changes.length, omitted]).toEqual([50, 30])
    expect(whatChanged(of({}, ...items('sha256:1', 2001)), of({}, ...items('sha256:2', 2001)))).toEqual({ changes: [], omitted: null })
  })
})
