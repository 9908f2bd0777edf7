/** One agent that takes and lets go cannot use up the attempts, the time or the limits of the others. */
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expireLease } from '../../../testing/row-gate.ts'
import { type Leased, startStory, type Story } from '../../../testing/story.ts'
import type { Answer, Caller } from '../../../testing/test-server.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'

const named = (type: string) => ({
  type,
  payload: Type.Object({ n: Type.Integer() }),
  result: Type.Object({ n: Type.Integer() }),
  apply: (context: any) => context.diff({}, {}, 'nothing'),
})
const carefulType = defineOrderType({
  ...named('test.careful'),
  retry: { confirmPermanent: true, baseSeconds: 0, maxRetryAfterSeconds: 120 },
})
const shortType = defineOrderType({
  ...named('test.short'),
  leaseTtlSeconds: 60,
  maxLeaseSeconds: 90,
  parts: { schemas: { '*': Type.Object({}) }, required: () => [] },
})

let story: Story
let mallory: Caller
let honest: Caller
let rita: Caller
beforeAll(async () => {
  story = await startStory({ types: [carefulType, shortType] })
  mallory = await story.server.caller('agent', 'mallory')
  honest = await story.server.caller('agent', 'honest')
  rita = story.reviewer
})
afterAll(() => story.server.stop())

const sql = <Row extends object>(text: string, values: unknown[] = []) => story.server.database.sql<Row>(text, values)
const ask = (who: Caller, orderId: string): Promise<Answer> => who.post(`/orders/${orderId}/checkout`, {}, { key: null })
const release = (who: Caller, item: Leased) => who.post(`/items/${item.id}/release`, { lease_token: item.lease_token })
const fail = (who: Caller, item: Leased, more: object = {}) =>
  who.post(`/items/${item.id}/fail`, {
    lease_token: item.lease_token,
    class: 'permanent',
    error: { code: 'no', message: 'Impossible.' },
    ...more,
  })
/** As if the lease had begun so long ago. */
const age = (item: Leased, seconds: number) =>
  sql(
    `update wm.items set leased_at = leased_at - make_interval(secs => $2), lease_ends_by = lease_ends_by - make_interval(secs => $2) where id = $1`,
    [item.id, seconds],
  )
/** The time of those who are kept from it is over. */
const waitOver = (itemId: string) =>
  sql(`update wm.items set dropped_by = regexp_replace(dropped_by::text, '"until": \\d+', '"until": 1', 'g')::jsonb where id = $1`, [
    itemId,
  ])

describe('an item that an agent takes and gives back', () => {
  it('is kept from it after the second time, and nobody else waits', async () => {
    const { id } = await story.propose()
    for (let n = 0; n < 2; n++) expect((await release(mallory, await story.take(id, mallory))).status).toBe(200)
    const refused = await ask(mallory, id)
    expect([refused.status, refused.body.code]).toEqual([409, 'no_items_available'])
    const item = await story.take(id, honest)
    expect(item.attempt, 'given back within the grace, it cost no attempt').toBe(1)
    expect((await story.submit(item, undefined, honest)).status).toBe(202)
  })

  it('costs an attempt when it was held for longer than the grace', async () => {
    const { id } = await story.propose()
    const item = await story.take(id, mallory)
    await age(item, 31)
    await release(mallory, item)
    expect((await story.take(id, honest)).attempt).toBe(2)
  })

  it('does not stand in front of what the same agent may have: by order, by type and without any', async () => {
    const first = await story.propose({ messages: ['kept'] }, { priority: 30_000 })
    for (let n = 0; n < 2; n++) await release(mallory, await story.take(first.id, mallory))
    const second = await story.propose({ messages: ['free'] }, { priority: 29_000 })
    const answer = await mallory.post('/checkout', { type: 'test.echo' }, { key: null })
    expect(answer.body.item.order_id).toBe(second.id)
    await release(mallory, answer.body.item)
    expect((await mallory.post('/checkout', {}, { key: null })).body.item.order_id).toBe(second.id)
    // Both at once, in whatever batches: each gets what it may have.
    await sql(`update wm.orders set state = state where id = $1`, [first.id])
    expect((await honest.post('/checkout', {}, { key: null })).body.item.order_id).toBe(first.id)
  })

  it('goes to the one of many who may have it, whoever asks beside', async () => {
    const { id } = await story.propose({ messages: ['a', 'b', 'c'] }, { priority: 30_001 })
    for (let n = 0; n < 2; n++) {
      const items = [await story.take(id, mallory), await story.take(id, mallory)]
      for (const item of items) await release(mallory, item)
    }
    const [kept] = await sql<{ n: number }>(
      `select count(*)::int as n from wm.items where order_id = $1 and dropped_by @? '$.*.until ? (@ > 0)'`,
      [id],
    )
    expect(kept!.n).toBe(2)
    const answers = await Promise.all([ask(mallory, id), ask(honest, id), ask(mallory, id), ask(honest, id)])
    const mine = answers.filter((_, n) => n % 2 === 0 && _.status === 200)
    const theirs = answers.filter((_, n) => n % 2 === 1)
    expect(mine.length).toBeLessThanOrEqual(1)
    expect(theirs.every(({ status }) => status === 200)).toBe(true)
    for (const { body } of mine) expect(body.item.input.message).toBe('c')
  })

  it('is offered again when the time is over, and to everybody after a requeue', async () => {
    const { id } = await story.propose()
    let item = await story.take(id, mallory)
    await release(mallory, item)
    item = await story.take(id, mallory)
    await release(mallory, item)
    await waitOver(item.id)
    item = await story.take(id, mallory)
    await expireLease(story.server.database, item.id)
    await story.server.run('lease-reclaimer')
    expect((await ask(mallory, id)).status, 'silence counts as well').toBe(409)
    const held = await story.take(id, honest)
    await fail(honest, held)
    await story.server.run('dead-letterer')
    expect((await rita.post(`/orders/${id}/requeue`, { reason: 'Once more.' })).status).toBe(200)
    expect((await ask(mallory, id)).status).toBe(200)
  })
})

describe('a failure for good', () => {
  it('is the word of one, where the type wants to hear two: the item goes on, to somebody else', async () => {
    const { id } = await story.propose({ n: 1 }, { type: 'test.careful' })
    const said = await fail(mallory, await story.take(id, mallory))
    expect(said.body).toMatchObject({ will_retry: true, item: { state: 'failed', error: { class: 'permanent', unconfirmed: true } } })
    await story.server.run('retry-scheduler')
    await sql(`update wm.items set available_at = clock_timestamp() where order_id = $1 and state = 'failed'`, [id])
    await story.server.run('retry-scheduler')
    expect((await ask(mallory, id)).status).toBe(409)
    const confirmed = await fail(honest, await story.take(id, honest))
    expect(confirmed.body).toMatchObject({ will_retry: false, item: { state: 'failed' } })
  })

  it.each(['permanent', 'policy'])('is not confirmed by the one who said it (%s), but by a person', async (kind) => {
    const { id } = await story.propose({ n: 1 }, { type: 'test.careful' })
    const item = await story.take(id, mallory)
    await fail(mallory, item, { class: kind })
    const again = async () => {
      await sql(`update wm.items set available_at = clock_timestamp() where id = $1`, [item.id])
      await story.server.run('retry-scheduler')
      await waitOver(item.id)
    }
    await again()
    expect((await fail(mallory, await story.take(id, mallory), { class: kind })).body.will_retry).toBe(true)
    await again()
    expect((await fail(rita, await story.take(id, rita), { class: kind })).body.will_retry).toBe(false)
  })

  it('asks for a pause no longer than the type allows, and says so', async () => {
    const { id } = await story.propose({ n: 1 }, { type: 'test.careful' })
    const answer = await fail(mallory, await story.take(id, mallory), { class: 'transient', retry_after: 604_800 })
    expect(answer.body.item.error).toMatchObject({ retry_after: 120, retry_after_asked: 604_800 })
    const [row] = await sql<{ ok: boolean }>(
      `select available_at <= clock_timestamp() + interval '121 seconds' as ok from wm.items where order_id = $1`,
      [id],
    )
    expect(row!.ok).toBe(true)
  })
})

describe('a lease', () => {
  const beat = (item: Leased) => mallory.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null })
  const end = async (item: Leased): Promise<number> =>
    (
      await sql<{ left: number }>(
        `select extract(epoch from lease_expires_at - clock_timestamp())::float8 as left from wm.items where id = $1`,
        [item.id],
      )
    )[0]!.left

  it('does not grow older by heartbeats than its type allows; an accepted part begins it anew, and a person may extend it', async () => {
    const { id } = await story.propose({ n: 1 }, { type: 'test.short' })
    const item = await story.take(id, mallory)
    await age(item, 60)
    expect((await beat(item)).status).toBe(200)
    expect(await end(item), 'it had 60 s, and 30 s are left of the 90').toBeLessThan(61)
    await sql(`update wm.items set lease_expires_at = clock_timestamp() + interval '20 seconds' where id = $1`, [item.id])
    expect((await beat(item)).status).toBe(200)
    expect(await end(item)).toBeLessThan(31)
    const part = await mallory.post(`/items/${item.id}/parts`, { lease_token: item.lease_token, part_key: 'a', payload: { n: 1 } })
    expect(part.status, part.text).toBe(202)
    await beat(item)
    expect(await end(item)).toBeGreaterThan(31)
    await age(item, 85)
    await rita.post('/leases/extend', { order: id, ttl_seconds: 600, reason: 'It takes long.' })
    await beat(item)
    expect(await end(item)).toBeGreaterThan(500)
  })
})
