/** Whatever is changed behind the record's back is found: by the verb, by the check that the server makes by itself, by doctor. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { partsType } from '../../../testing/parts-type.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { verifyContent } from './verify-content.ts'

describeVerb(verifyContent, {
  succeeds({ body }) {
    expect(body).toMatchObject({ ok: true, damage: null, next_after: null })
  },
})

let story: Story
beforeAll(async () => {
  story = await startStory({ types: [partsType], config: { maintenance: { self_check_minutes: 1 } } })
})
afterAll(() => story.server.stop())

/** As a hand in the database would: no trigger fires. */
async function tamper(text: string, values: unknown[]): Promise<void> {
  await story.server.database.sql(`set session_replication_role = replica`)
  try {
    const rows = await story.server.database.sql(`${text} returning 1`, values)
    expect(rows.length).toBeGreaterThan(0)
  } finally {
    await story.server.database.sql(`set session_replication_role = origin`)
  }
}
async function applied(): Promise<string> {
  const { id } = await story.propose({ messages: ['a', 'b'] })
  await story.fill(id)
  const answer = await story.approve(id)
  expect(answer.status, answer.text).toBe(200)
  return id
}
const verify = async () => (await story.reviewer.get('/ledger/verify-content')).body

const harms: Record<string, { damage: string; harm: (id: string) => Promise<void>; undo: (id: string) => Promise<void> }> = {
  'a result': {
    damage: 'result_changed',
    harm: (id) =>
      tamper(`update wm.submissions set result = '{"echoed":"c","ok":true}' where order_id = $1 and result ->> 'echoed' = 'a'`, [id]),
    undo: (id) =>
      tamper(`update wm.submissions set result = '{"echoed":"a","ok":true}' where order_id = $1 and result ->> 'echoed' = 'c'`, [id]),
  },
  'the digest of a result': {
    damage: 'result_changed',
    harm: (id) => tamper(`update wm.submissions set digest = reverse(digest) where order_id = $1`, [id]),
    undo: (id) => tamper(`update wm.submissions set digest = reverse(digest) where order_id = $1`, [id]),
  },
  'the digest of a decision': {
    damage: 'decision_changed',
    harm: (id) => tamper(`update wm.approvals set digest = reverse(digest) where order_id = $1`, [id]),
    undo: (id) => tamper(`update wm.approvals set digest = reverse(digest) where order_id = $1`, [id]),
  },
  'a decision that is gone': {
    damage: 'decision_missing',
    harm: (id) => tamper(`update wm.approvals set decision = 'rejected', digest = null where order_id = $1`, [id]),
    undo: (id) =>
      tamper(
        `update wm.approvals set decision = 'approved', digest = (select e.payload ->> 'digest' from record e where e.order_id = $1 and e.kind = 'order.approved') where order_id = $1`,
        [id],
      ),
  },
  'the payload of a decided order': {
    damage: 'order_changed',
    harm: (id) => tamper(`update wm.orders set payload = '{"messages":["z"]}' where id = $1`, [id]),
    undo: (id) => tamper(`update wm.orders set payload = '{"messages":["a","b"]}' where id = $1`, [id]),
  },
  'the priority of a decided order': {
    damage: 'order_changed',
    harm: (id) => tamper(`update wm.orders set priority = 7 where id = $1`, [id]),
    undo: (id) => tamper(`update wm.orders set priority = 0 where id = $1`, [id]),
  },
  'a document': {
    damage: 'document_changed',
    harm: (id) => tamper(`update wm.records set value = '["a","z"]' where key = $1`, [id]),
    undo: (id) => tamper(`update wm.records set value = '["a","b"]' where key = $1`, [id]),
  },
  'a document that is gone': {
    damage: 'document_missing',
    harm: (id) => tamper(`update wm.records set key = 'gone' where key = $1`, [id]),
    undo: (id) => tamper(`update wm.records set key = $1 where key = 'gone'`, [id]),
  },
}

describe('verify_content', () => {
  it('finds nothing where nothing was changed, page by page, also where orders write one document after the other', async () => {
    await applied()
    await applied()
    expect(await verify()).toMatchObject({ ok: true, next_after: null })
    const part = (await story.reviewer.get('/ledger/verify-content?limit=3')).body
    expect(part).toMatchObject({ ok: true, seq: 3, next_after: 3 })
    expect((await story.reviewer.get(`/ledger/verify-content?after=3`)).body).toMatchObject({ ok: true, next_after: null })
  })

  it('finds nothing in orders of every fate: sent back and done again, in parts, rejected, cancelled, failed, not applied yet', async () => {
    const again = await story.propose({ messages: ['a', 'b'] })
    await story.fill(again.id)
    await story.reviewer.post(`/orders/${again.id}/reject`, { errors: [{ code: 'wrong', message: 'Again.' }], allow_rework: true })
    await story.fill(again.id)
    expect((await story.approve(again.id)).status).toBe(200)

    const inParts = await story.propose({ message: 'x' }, { type: 'test.parts' })
    const item = await story.take(inParts.id)
    await story.agent.post(`/items/${item.id}/parts`, { lease_token: item.lease_token, part_key: 'one', payload: { text: 'x' } })
    expect((await story.agent.post(`/items/${item.id}/finalize`, { lease_token: item.lease_token })).status).toBe(202)
    expect((await story.approve(inParts.id)).status).toBe(200)

    const rejected = await story.propose({ messages: ['a'] })
    await story.fill(rejected.id)
    await story.reviewer.post(`/orders/${rejected.id}/reject`, { errors: [{ code: 'wrong', message: 'No.' }] })

    const cancelled = await story.propose({ messages: ['a', 'b'] })
    await story.submit(await story.take(cancelled.id))
    await story.reviewer.post(`/orders/${cancelled.id}/cancel`, { reason: 'no longer wanted' })

    const failed = await story.propose({ messages: ['a', 'b'] })
    await story.submit(await story.take(failed.id))
    const { id, lease_token } = await story.take(failed.id)
    await story.agent.post(`/items/${id}/fail`, { lease_token, class: 'permanent', error: { code: 'broken', message: 'cannot be done' } })

    const decided = await story.propose({ messages: ['a'] })
    await story.fill(decided.id)
    expect((await story.reviewer.post(`/orders/${decided.id}/approve`)).status).toBe(202)
    expect(await verify()).toMatchObject({ ok: true, damage: null })
  })

  it('is about the tenant of the key alone', async () => {
    const id = await applied()
    await harms['a result']!.harm(id)
    const stranger = await story.server.caller('person', 'rita', { tenant: 'globex' })
    expect((await stranger.get('/ledger/verify-content')).body).toMatchObject({ ok: true, seq: expect.any(Number) })
    expect((await verify()).ok).toBe(false)
    await harms['a result']!.undo(id)
  })

  it.each(Object.entries(harms))('finds %s', async (_what, { damage, harm, undo }) => {
    const id = await applied()
    expect((await verify()).ok).toBe(true)
    await harm(id)
    expect(await verify()).toMatchObject({ ok: false, damage, detail: expect.stringContaining(damage.startsWith('result') ? 'item' : id) })
    // The chain itself is sound: nobody would have noticed.
    expect((await story.reviewer.get('/ledger/verify')).body.ok).toBe(true)
    await undo(id)
    expect((await verify()).ok).toBe(true)
  })
})

describe('the server by itself', () => {
  const recordIn = async () => (await story.server.manager.doctor()).find(({ check }) => check === 'record')!
  const due = () => story.server.database.sql(`update wm.record_checks set checked_at = checked_at - interval '2 minutes'`)
  const anew = () => story.server.database.sql(`update wm.record_checks set through = 0, whole_at = null`)
  const check = async () => {
    await due()
    await story.server.run('record-checker')
  }

  it('looks at what is new, and at all of it once a day; damage is an event, once, and stands in doctor until it is mended', async () => {
    const id = await applied()
    expect((await story.reviewer.get('/ledger/verify')).body.ok).toBe(true)
    await check()
    expect(await recordIn()).toMatchObject({ ok: true })
    const { harm, undo } = harms['a document']!
    await harm(id)
    await anew()
    await check()
    expect(await recordIn()).toMatchObject({ ok: false, detail: expect.stringContaining('acme') })
    await check()
    const events = await story.server.database.sql(`select payload from record where kind = 'record.damaged'`)
    expect(events).toEqual([{ payload: expect.objectContaining({ damage: 'document_changed' }) }])
    await undo(id)
    await check()
    await check()
    expect(await recordIn()).toMatchObject({ ok: true })
  })

  it('finds a record whose chain is broken', async () => {
    await applied()
    await story.reviewer.get('/ledger/verify')
    await tamper(`update wm.events set message = 'nothing happened' where seq = 2`, [])
    await anew()
    await check()
    expect(await recordIn()).toMatchObject({ ok: false, detail: expect.stringContaining('entry 2') })
    await tamper(`update wm.events set message = null where seq = 2`, [])
  })
})
