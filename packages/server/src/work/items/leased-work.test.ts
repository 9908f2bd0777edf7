/** Stories of submit_item, fail_item and release_item under a lease. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'

let story: Story
beforeAll(async () => {
  story = await startStory()
})
afterAll(() => story.server.stop())

const expire = (itemId: string) =>
  story.server.database.sql(`update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [itemId])
const row = async (itemId: string) => (await story.server.database.sql<any>(`select * from wm.items where id = $1`, [itemId]))[0]!

describe('checkout', () => {
  it('hands out the most urgent item first and filters by type and priority', async () => {
    const low = await story.propose({ messages: ['low'] }, { priority: 1 })
    const high = await story.propose({ messages: ['high'] }, { priority: 900 })
    expect((await story.agent.post('/checkout', { min_priority: 901 })).body.code).toBe('no_items_available')
    expect((await story.agent.post('/checkout', { type: 'test.other' })).body.code).toBe('order_type_not_found')
    expect((await story.agent.post('/checkout', { type: 'test.echo' })).body.item.order_id).toBe(high.id)
    expect((await story.agent.post('/checkout')).body.item.order_id).toBe(low.id)
  })

  it('refuses an order that does not exist, and says so differently from an empty one', async () => {
    const order = await story.propose()
    await story.take(order.id)
    const empty = await story.agent.post(`/orders/${order.id}/checkout`)
    expect([empty.status, empty.body.code, empty.body.retry]).toEqual([409, 'no_items_available', 'later'])
    const absent = await story.agent.post('/orders/01890a5d-ac96-774b-bcce-b302099a8057/checkout')
    expect([absent.status, absent.body.code]).toEqual([404, 'not_found'])
  })

  it('gives each of ten items to exactly one of twenty that ask at once', async () => {
    const order = await story.propose({ messages: Array.from({ length: 10 }, (_, n) => `m${n}`) })
    const answers = await Promise.all(Array.from({ length: 20 }, () => story.agent.post(`/orders/${order.id}/checkout`)))
    const given = answers.filter((answer) => answer.status === 200).map((answer) => answer.body.item.id)
    expect(given).toHaveLength(10)
    expect(new Set(given).size).toBe(10)
    expect((await story.events(order.id, 'item.leased')).length).toBe(10)
  })
})

describe('submit', () => {
  it('remembers a refused submission on the item and the record, and the same lease may correct it', async () => {
    const order = await story.propose({ messages: ['hi'] })
    const item = await story.take(order.id)
    const refused = await story.submit(item, { echoed: 'ho', ok: true })
    expect([refused.status, refused.body.code]).toEqual([422, 'verification_failed'])
    expect(refused.body.errors).toEqual({ echoed: ["echoed must be 'hi'"] })
    expect(refused.body.error_list).toEqual([
      { check: 'echo is right', field: 'echoed', code: 'wrong_echo', message: "echoed must be 'hi'" },
    ])

    const [event] = await story.events(order.id, 'item.submission_refused')
    expect(event).toMatchObject({
      actor_type: 'agent',
      actor_id: 'agent-1',
      payload: { errors: [{ field: 'echoed', code: 'wrong_echo' }] },
    })
    const seen = (await story.reviewer.get(`/items/${item.id}`)).body
    expect(seen.item.error).toMatchObject({ code: 'validation_failed', details: [{ field: 'echoed' }] })
    expect(seen.submissions).toEqual([])

    const right = await story.submit(item)
    expect(right.status, right.text).toBe(202)
    expect(right.body.item.error).toBeNull()
    expect(right.body.order_state).toBe('submitted')
  })

  it('reports schema errors with dotted fields relative to the result', async () => {
    const item = await story.take((await story.propose()).id)
    const refused = await story.submit(item, { echoed: 5, ok: true, extra: 1 })
    expect(refused.status).toBe(422)
    expect(Object.keys(refused.body.errors)).toContain('echoed')
  })

  it('tells a stale holder about the lease, not about the result, and writes nothing', async () => {
    const order = await story.propose()
    const stale = await story.take(order.id)
    await expire(stale.id)
    await story.server.run('lease-reclaimer')
    await story.take(order.id)
    const before = await story.kinds(order.id)
    const wrong = await story.submit(stale, { echoed: 'wrong', ok: true })
    expect([wrong.status, wrong.body.code, wrong.body.reason]).toEqual([409, 'lease_lost', 'superseded'])
    const right = await story.submit(stale)
    expect([right.status, right.body.code]).toEqual([409, 'lease_lost'])
    expect(await story.kinds(order.id)).toEqual(before)
  })

  it('moves the order once when its twelve items are handed in at the same moment', async () => {
    const order = await story.propose({ messages: Array.from({ length: 12 }, (_, n) => `m${n}`) })
    const items = await Promise.all(Array.from({ length: 12 }, () => story.take(order.id)))
    const answers = await Promise.all(items.map((item) => story.submit(item)))
    for (const answer of answers) expect(answer.status, answer.text).toBe(202)
    expect(answers.filter((answer) => answer.body.order_state === 'submitted').length).toBeGreaterThan(0)
    expect(await story.order(order.id)).toMatchObject({ state: 'submitted', items_submitted: 12 })
    expect(await story.events(order.id, 'order.submitted')).toHaveLength(1)
  })

  it('refuses every lease verb on what was handed in, on what was never leased, and without the lease of another agent', async () => {
    const order = await story.propose({ messages: ['a', 'b', 'c'] })
    const done = await story.take(order.id)
    await story.submit(done)
    const held = await story.take(order.id)
    const free = (await story.order(order.id)).items.find((item: any) => item.state === 'queued')
    const other = await story.server.caller('agent', 'agent-2')
    for (const [verb, body] of [
      ['heartbeat', {}],
      ['submit', { result: { echoed: 'a', ok: true } }],
      ['release', {}],
      ['fail', { class: 'agent', error: { code: 'x', message: 'x' } }],
    ] as const) {
      expect((await story.agent.post(`/items/${done.id}/${verb}`, { ...body, lease_token: done.lease_token })).body.code, verb).toBe(
        'already_submitted',
      )
      expect((await other.post(`/items/${held.id}/${verb}`, { ...body, lease_token: held.lease_token })).body.code, verb).toBe(
        'lease_error',
      )
      expect(
        (
          await story.agent.post(`/items/${free.id}/${verb}`, {
            ...body,
            ...(verb === 'submit' && { result: { echoed: free.input.message, ok: true } }),
          })
        ).body.code,
        verb,
      ).toBe('lease_error')
    }
    expect(await row(held.id)).toMatchObject({ state: 'leased', leased_by_agent_id: 'agent-1' })
  })

  it('refuses an expired lease even before it is reclaimed', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    await expire(item.id)
    for (const [verb, body] of [
      ['heartbeat', {}],
      ['submit', { result: { echoed: 'hi', ok: true } }],
      ['release', {}],
      ['fail', { class: 'agent', error: { code: 'x', message: 'x' } }],
    ] as const)
      expect((await story.agent.post(`/items/${item.id}/${verb}`, { ...body, lease_token: item.lease_token })).body.code, verb).toBe(
        'lease_expired',
      )
    expect((await row(item.id)).state).toBe('leased')
  })
})

describe('heartbeat', () => {
  it('extends the lease and says that work began, once', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    const first = await story.agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null })
    const second = await story.agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null })
    expect(second.body.lease_expires_at > first.body.lease_expires_at).toBe(true)
    expect(await story.kinds(order.id)).toEqual([
      'order.proposed',
      'order.planned',
      'item.leased',
      'order.checked_out',
      'item.in_progress',
      'order.in_progress',
    ])
  })

  it('refuses a made-up token', async () => {
    const item = await story.take((await story.propose()).id)
    const answer = await story.agent.post(`/items/${item.id}/heartbeat`, { lease_token: 'guess' })
    expect([answer.status, answer.body.code, answer.body.reason]).toEqual([409, 'lease_lost', 'unknown_token'])
  })
})

describe('release', () => {
  it('gives the item back at once and the idle order with it', async () => {
    const order = await story.propose()
    const item = await story.take(order.id)
    const released = await story.agent.post(`/items/${item.id}/release`, { lease_token: item.lease_token })
    expect(released.status, released.text).toBe(200)
    expect(released.body.item).toMatchObject({ state: 'queued', leased_by_agent_id: null, lease_expires_at: null })
    expect((await story.order(order.id)).state).toBe('queued')
    expect((await story.kinds(order.id)).slice(-2)).toEqual(['item.released', 'order.requeued'])
    const again = await story.take(order.id)
    expect(again.attempt, 'given back at once, it costs no attempt').toBe(1)
    expect(again.lease_token).not.toBe(item.lease_token)
  })

  it('does not requeue an order of which something is handed in', async () => {
    const order = await story.propose({ messages: ['a', 'b'] })
    await story.submit(await story.take(order.id))
    const item = await story.take(order.id)
    await story.agent.post(`/items/${item.id}/release`, { lease_token: item.lease_token })
    expect((await story.order(order.id)).state).toBe('in_progress')
  })

  it('happens once when sent four times at once', async () => {
    const item = await story.take((await story.propose()).id)
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => story.agent.post(`/items/${item.id}/release`, { lease_token: item.lease_token })),
    )
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 409, 409, 409])
  })
})

describe('fail', () => {
  const fail = (item: { id: string; lease_token: string }, body: object) =>
    story.agent.post(`/items/${item.id}/fail`, {
      lease_token: item.lease_token,
      error: { code: 'timeout', message: 'The site did not answer.' },
      ...body,
    })
  const due = (itemId: string) =>
    story.server.database.sql(
      `update wm.items set available_at = clock_timestamp(), dropped_by = null where id = $1 and available_at is not null`,
      [itemId],
    )

  it.each(['transient', 'agent'])(
    'sets a %s failure aside until its backoff is over, then the retry scheduler brings it back',
    async (kind) => {
      const order = await story.propose()
      const item = await story.take(order.id)
      const failed = await fail(item, { class: kind, retry_after: 3600 })
      expect(failed.status, failed.text).toBe(200)
      expect(failed.body).toMatchObject({
        will_retry: true,
        item: {
          state: 'failed',
          error: { code: 'timeout', class: kind, is_transient: kind === 'transient', retry_after: 3600, attempt: 1 },
        },
      })
      expect(failed.body.item.available_at).not.toBeNull()

      await story.server.run('retry-scheduler')
      await story.server.run('dead-letterer')
      expect((await row(item.id)).state).toBe('failed')
      await due(item.id)
      expect(await story.server.run('retry-scheduler')).toBe(1)
      expect(await row(item.id)).toMatchObject({ state: 'queued', available_at: null })
      const next = await story.take(order.id)
      expect(next).toMatchObject({ attempt: 2, last_error: { code: 'timeout' } })
      expect(await story.kinds(order.id)).toEqual(expect.arrayContaining(['item.failed', 'order.requeued', 'item.retried']))
    },
  )

  it('is final when the attempts are used up', async () => {
    const order = await story.propose()
    for (const attempt of [1, 2, 3]) {
      const item = await story.take(order.id)
      expect(item.attempt).toBe(attempt)
      const failed = await fail(item, { class: 'transient' })
      expect(failed.body.will_retry).toBe(attempt < 3)
      await due(item.id)
      await story.server.run('retry-scheduler')
    }
    expect(await story.server.run('dead-letterer')).toBe(1)
    expect(await story.order(order.id)).toMatchObject({ state: 'dead_lettered', items: [{ state: 'dead_lettered' }] })
  })

  it.each(['permanent', 'policy'])('files a %s failure with its case file', async (kind) => {
    const order = await story.propose()
    const item = await story.take(order.id)
    await story.submit(item, { echoed: 'wrong', ok: true })
    const failed = await fail(item, { class: kind, retry_after: 5 })
    expect(failed.body).toMatchObject({ will_retry: false, item: { state: 'failed', available_at: null } })
    expect(await story.server.run('retry-scheduler')).toBe(0)
    expect(await story.server.run('dead-letterer')).toBe(1)
    const [event] = await story.events(order.id, 'item.dead_lettered')
    expect(event!.payload.case_file.map((one: any) => one.kind)).toEqual(['item.submission_refused', 'item.failed'])
    expect(event!.payload.case_file[1].payload.error.class).toBe(kind)
    expect(await story.kinds(order.id)).toEqual(expect.arrayContaining(['order.failed', 'order.dead_lettered']))
  })

  it('refuses an unknown class by naming the known ones', async () => {
    const item = await story.take((await story.propose()).id)
    const answer = await fail(item, { class: 'bad' })
    expect([answer.status, answer.body.code]).toEqual([422, 'validation_failed'])
    expect(answer.text).toContain('transient')
  })
})
