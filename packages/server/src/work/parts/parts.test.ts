/** Stories of submit_part, list_parts and finalize_item. */
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { judgeLine } from '../../kernel/schemas/schema-validator.ts'
import { submissionDigest } from '../approvals/digest.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'
import { type Leased, startStory, type Story } from '../../../testing/story.ts'

const dossier = defineOrderType({
  type: 'test.dossier',
  payload: Type.Object({ subject: Type.String() }),
  result: Type.Object({ identity: Type.Object({ name: Type.String() }), pages: Type.Array(Type.String()) }),
  parts: {
    schemas: { identity: Type.Object({ name: Type.String({ minLength: 1 }) }), page: Type.Object({ text: Type.String() }) },
    required: () => ['identity', 'page'],
    verify: [
      {
        name: 'no lorem',
        check: ({ partKey, payload }) =>
          partKey === 'page' && (payload as { text: string }).text.includes('lorem')
            ? [{ field: 'text', code: 'filler', message: 'Filler text is no finding.' }]
            : [],
      },
    ],
    assemble: (parts) => ({
      identity: parts.find((part) => part.partKey === 'identity')?.payload as { name: string },
      pages: parts.filter((part) => part.partKey === 'page').map((part) => (part.payload as { text: string }).text),
    }),
  },
  verify: [
    {
      name: 'has pages',
      check: ({ result }) => (result.pages.length > 0 ? [] : [{ field: 'pages', code: 'no_pages', message: 'At least one page.' }]),
    },
  ],
  apply: (context) => context.diff({}, { pages: context.items.flatMap((item) => item.result.pages) }),
})

const blob = defineOrderType({
  type: 'test.blob',
  payload: Type.Object({ n: Type.Integer() }),
  result: Type.Record(Type.String(), Type.Array(Type.Integer())),
  parts: { schemas: { '*': Type.Array(Type.Integer()) }, required: () => [] },
  apply: (context) => context.diff({}, {}),
})

let story: Story
beforeAll(async () => {
  story = await startStory({ types: [dossier], config: { partials: { max_parts_per_item: 6, max_payload_bytes: 2048 } } })
})
afterAll(() => story.server.stop())

const begin = async () => {
  const order = await story.propose({ subject: 'Ada' }, { type: 'test.dossier' })
  return { order, item: await story.take(order.id) }
}
const part = (item: Leased, part_key: string, payload: unknown, extra: object = {}, path = 'parts') =>
  story.agent.post(`/items/${item.id}/${path}`, { lease_token: item.lease_token, part_key, payload, ...extra })
const finalize = (item: Leased, body: object = {}) =>
  story.agent.post(`/items/${item.id}/finalize`, { lease_token: item.lease_token, ...body })

describe('parts', () => {
  it('are kept as revisions; a rejected one never hides a validated one', async () => {
    const { order, item } = await begin()
    expect(item.parts_required).toEqual(['identity', 'page'])
    const first = await part(item, 'identity', { name: 'Ada' })
    expect(first.status, first.text).toBe(202)
    expect(first.body).toMatchObject({
      success: true,
      part: { part_key: 'identity', seq: null, status: 'validated', revision: 1 },
      item_parts_state: { identity: { status: 'validated' } },
    })
    expect((await part(item, 'page', { text: 'one' }, { seq: 2 }, 'submit-part')).status).toBe(202)

    const refused = await part(item, 'identity', { name: '' })
    expect([refused.status, refused.body.code]).toEqual([422, 'verification_failed'])
    expect(Object.keys(refused.body.errors)).toEqual(['name'])
    const filler = await part(item, 'page', { text: 'lorem ipsum' }, { seq: 2 })
    expect(filler.body.error_list).toMatchObject([{ field: 'text', code: 'filler' }])

    const listed = (await story.agent.get(`/items/${item.id}/parts`)).body
    expect(listed.parts.map((one: any) => [one.part_key, one.seq, one.revision, one.status])).toEqual([
      ['identity', null, 2, 'rejected'],
      ['identity', null, 1, 'validated'],
      ['page', 2, 2, 'rejected'],
      ['page', 2, 1, 'validated'],
    ])
    expect(listed.parts_state).toMatchObject({ identity: { status: 'validated' }, page: { status: 'validated', seq: 2 } })
    expect((await story.agent.get(`/items/${item.id}/parts?status=rejected&part_key=page`)).body.parts).toHaveLength(1)
    expect((await story.kinds(order.id)).filter((kind) => kind.startsWith('item.part'))).toEqual([
      'item.part_submitted',
      'item.part_submitted',
      'item.part_refused',
      'item.part_refused',
    ])

    const done = await finalize(item)
    expect(done.status, done.text).toBe(202)
    expect(done.body).toEqual({
      success: true,
      item: { id: item.id, state: 'submitted', assembled_result: { identity: { name: 'Ada' }, pages: ['one'] } },
      order_state: 'submitted',
    })
    const seen = (await story.reviewer.get(`/items/${item.id}`)).body.item
    expect(seen.assembled_result).toEqual(seen.result)
  })

  it('orders the pieces of a part by number, not by text, and takes the latest validated revision of each', async () => {
    const { item } = await begin()
    await part(item, 'identity', { name: 'Ada' })
    await part(item, 'page', { text: 'ten' }, { seq: 10 })
    await part(item, 'page', { text: 'two' }, { seq: 2 })
    await part(item, 'page', { text: 'two, better' }, { seq: 2 })
    expect((await finalize(item)).body.item.assembled_result.pages).toEqual(['two, better', 'ten'])
  })

  it('move the item and the order to in_progress', async () => {
    const { order, item } = await begin()
    await part(item, 'identity', { name: 'Ada' })
    expect(await story.order(order.id)).toMatchObject({
      state: 'in_progress',
      items: [{ state: 'in_progress', parts_state: { identity: { status: 'validated' } } }],
    })
  })

  it('are inherited by the next holder of the item', async () => {
    const { order, item } = await begin()
    await part(item, 'identity', { name: 'Ada' })
    await story.agent.post(`/items/${item.id}/release`, { lease_token: item.lease_token })
    const next = await story.take(order.id)
    expect(next.parts_state).toMatchObject({ identity: { status: 'validated' } })
    await part(next, 'page', { text: 'one' })
    expect((await finalize(next)).status).toBe(202)
  })

  it('refuse an unknown key, too large and too many parts, a stale lease, and types without parts', async () => {
    const { order, item } = await begin()
    const unknown = await part(item, 'identitty', { name: 'Ada' })
    expect([unknown.status, unknown.body.code]).toEqual([422, 'verification_failed'])
    expect(unknown.text).toContain("'identity'")
    const large = await part(item, 'page', { text: 'x'.repeat(3000) })
    expect([large.status, large.body.code]).toEqual([413, 'part_too_large'])
    await story.server.database.sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [
      item.id,
    ])
    expect((await part(item, 'identity', { name: 'Ada' })).body.code).toBe('lease_expired')
    await story.server.run('lease-reclaimer')
    const next = await story.take(order.id)
    expect((await part(item, 'identity', { name: 'Ada' })).body.code).toBe('lease_lost')
    let kept = (await story.agent.get(`/items/${item.id}/parts`)).body.parts.length as number
    for (; kept < 6; kept++) expect((await part(next, 'page', { text: 'p' }, { seq: kept })).status).toBe(202)
    const many = await part(next, 'page', { text: 'p' }, { seq: 99 })
    expect([many.status, many.body.code]).toEqual([422, 'too_many_parts'])

    const plain = await story.take((await story.propose()).id)
    expect((await part(plain, 'identity', { name: 'Ada' })).body.code).toBe('parts_not_supported')
    expect((await finalize(plain)).body.code).toBe('parts_not_supported')
  })

  it('of eight agents racing with one key get eight revisions, none lost', async () => {
    const server = story.server
    const { item } = await begin()
    const answers = await Promise.all(Array.from({ length: 6 }, (_, n) => part(item, 'page', { text: `v${n}` })))
    for (const answer of answers) expect(answer.status, answer.text).toBe(202)
    const rows = await server.database.sql<{ revision: number }>(`select revision from wm.parts where item_id = $1 order by revision`, [
      item.id,
    ])
    expect(rows.map((row) => row.revision)).toEqual([1, 2, 3, 4, 5, 6])
  })
})

describe('finalize', () => {
  it('strict names every missing part and changes nothing; best_effort goes on with what is there, if its checks pass', async () => {
    const { order, item } = await begin()
    const none = await finalize(item, { mode: 'best_effort' })
    expect(none.body.code).toBe('parts_missing')
    await part(item, 'page', { text: 'one' })
    const strict = await finalize(item)
    expect(strict.body).toMatchObject({
      code: 'parts_missing',
      message: 'Missing required parts: identity',
      missing: ['identity'],
      errors: { parts: ['Missing required parts: identity'] },
    })
    // The result of best effort still has to be a result: identity is required by the schema.
    const lacking = await finalize(item, { mode: 'best_effort' })
    expect([lacking.status, lacking.body.code]).toEqual([422, 'verification_failed'])
    expect(await story.events(order.id, 'item.submission_refused')).toHaveLength(1)
    await part(item, 'identity', { name: 'Ada' })
    expect((await finalize(item, { mode: 'best_effort' })).status).toBe(202)
  })

  it('passes without an optional part in best_effort', async () => {
    const { item } = await begin()
    await part(item, 'identity', { name: 'Ada' })
    const refused = await finalize(item, { mode: 'best_effort' })
    expect(refused.body.error_list).toMatchObject([{ field: 'pages', code: 'no_pages' }])
  })

  it('refuses an unknown mode, other holders and a second time', async () => {
    const { item } = await begin()
    await part(item, 'identity', { name: 'Ada' })
    await part(item, 'page', { text: 'one' })
    expect((await finalize(item, { mode: 'lenient' })).body.code).toBe('validation_failed')
    const other = await story.server.caller('agent', 'agent-3')
    expect((await other.post(`/items/${item.id}/finalize`, { lease_token: item.lease_token })).body.code).toBe('lease_error')
    const key = 'finalize-once'
    const first = await story.agent.post(`/items/${item.id}/finalize`, { lease_token: item.lease_token }, { key })
    expect((await story.agent.post(`/items/${item.id}/finalize`, { lease_token: item.lease_token }, { key })).text).toBe(first.text)
    expect((await finalize(item)).body.code).toBe('already_submitted')
  })
})

describe('parts that are large together', () => {
  it('have a limit for all of them, which counts what finalize would assemble', async () => {
    const small = await startStory({ types: [blob], config: { partials: { max_item_bytes: 4096 } } })
    try {
      const order = await small.propose({ n: 1 }, { type: 'test.blob' })
      const item = await small.take(order.id)
      const part = (part_key: string, length: number) =>
        small.agent.post(`/items/${item.id}/parts`, {
          part_key,
          lease_token: item.lease_token,
          payload: Array.from({ length }, () => 1),
        })
      expect((await part('a', 900)).status).toBe(202)
      expect((await part('b', 900)).status).toBe(202)
      const over = await part('c', 900)
      expect([over.status, over.body.code]).toEqual([413, 'parts_too_large'])
      expect(over.body.detail).toContain('at most 4096')
      // A new revision takes the place of the old one.
      expect((await part('b', 1000)).status).toBe(202)
      expect((await part('b', 100)).status).toBe(202)
      expect((await part('c', 900)).status).toBe(202)
    } finally {
      await small.server.stop()
    }
  })

  it('are judged and hashed on a thread of their own; a large result is not repeated in the answer', async () => {
    const large = await startStory({ types: [blob] })
    try {
      const order = await large.propose({ n: 1 }, { type: 'test.blob' })
      const item = await large.take(order.id)
      const payload = Array.from({ length: 450_000 }, (_, i) => i % 10)
      for (const part_key of ['a', 'b', 'c', 'd'])
        expect((await large.agent.post(`/items/${item.id}/parts`, { part_key, lease_token: item.lease_token, payload })).status).toBe(202)
      const before = judgeLine.judged
      const done = await large.agent.post(`/items/${item.id}/finalize`, { lease_token: item.lease_token })
      expect(done.status).toBe(202)
      expect(judgeLine.judged).toBe(before + 2)
      expect(done.body.item).toEqual({ id: item.id, state: 'submitted', assembled_bytes: 3_600_025 })
      const [kept] = await large.server.database.sql(`select digest from wm.submissions where item_id = $1`, [item.id])
      const result = { a: payload, b: payload, c: payload, d: payload }
      expect(kept).toEqual({ digest: submissionDigest({ result, evidence: null, notes: null }) })
    } finally {
      await large.server.stop()
    }
  })
})
