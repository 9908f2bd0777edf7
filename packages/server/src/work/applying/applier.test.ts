import sql from 'sql-template-tag'
import Type from 'typebox'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import { closeGate } from '../../../testing/row-gate.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'
import type { ApplyContext } from '../order-types/order-type.ts'
import type { Queryable } from '../../kernel/store/tx.ts'
import { applier } from './applier.ts'
import { createService } from '../../kernel/service.ts'

type Context = ApplyContext<{ note: string }, unknown, { answer: string }>
/** What the next applies do before they count; a test sets it. */
let act: (context: Context) => unknown = () => undefined
const sent: string[] = []

const counted = defineOrderType({
  type: 'test.counted',
  payload: Type.Object({ note: Type.String() }),
  result: Type.Object({ answer: Type.String() }),
  async apply(context) {
    const instead = await act(context as Context)
    const before = ((await context.records.get('counter', 'n')) as number | undefined) ?? 0
    await context.records.put('counter', 'n', before + 1)
    await context.records.put('counter', context.order.id, true)
    context.effect('tell', { note: context.order.payload.note })
    return (instead as ReturnType<typeof context.diff> | undefined) ?? context.diff({ n: before }, { n: before + 1 })
  },
  effects: {
    tell: {
      deduplicates: true,
      async run(_input, { key }) {
        sent.push(key)
      },
    },
  },
})

let story: Story
let second: TestServer
beforeAll(async () => {
  // wait_ms 0: an approval answers at once, and the test decides when and where it is applied.
  story = await startStory({ types: [counted], config: { approval: { wait_ms: 0 } } })
  second = await startTestServer({
    types: [counted],
    background: false,
    database: story.server.database,
    config: { approval: { wait_ms: 0 } },
  })
})
afterEach(() => {
  act = () => undefined
})
afterAll(async () => {
  await second.stop()
  await story.server.stop()
})

const full = async () => {
  const order = await story.propose({ note: 'n' }, { type: 'test.counted' })
  const item = await story.take(order.id)
  const submitted = await story.submit(item, { answer: 'yes' })
  expect(submitted.status, submitted.text).toBe(202)
  return order.id
}
const approved = async () => {
  const id = await full()
  const answer = await story.reviewer.post(`/orders/${id}/approve`)
  expect([answer.status, answer.body.order.state], answer.text).toEqual([202, 'approved'])
  return id
}
const counter = async () =>
  (await story.server.database.sql<{ value: number }>(`select value from wm.records where collection = 'counter' and key = 'n'`))[0]
    ?.value ?? 0
const wasApplied = async (id: string) =>
  (await story.server.database.sql(`select 1 from wm.records where collection = 'counter' and key = $1`, [id])).length === 1
const effectsOf = async (id: string) => story.server.database.sql(`select * from wm.effects where order_id = $1`, [id])
/** As somebody with the superuser's password would: past the triggers. */
const tamper = (statement: string) =>
  story.server.database.sql(`set session_replication_role = replica; ${statement}; set session_replication_role = origin`)

describe('exactly once', () => {
  it('two processes with four appliers each apply an order once', async () => {
    const before = await counter()
    const ids = await Promise.all([approved(), approved(), approved()])
    const done = await Promise.all(Array.from({ length: 8 }, (_, n) => (n % 2 ? story.server : second).run('applier')))
    expect(done.reduce((sum, n) => sum + n, 0)).toBe(3)
    expect(await counter()).toBe(before + 3)
    for (const id of ids) expect((await story.kinds(id)).filter((kind) => kind === 'order.applied')).toHaveLength(1)
  })

  it('eight people approving at once over two processes decide once and apply once', async () => {
    const before = await counter()
    const id = await full()
    const people = await Promise.all(Array.from({ length: 8 }, (_, n) => (n % 2 ? story.server : second).caller('person', `person-${n}`)))
    const answers = await Promise.all(people.map((person) => person.post(`/orders/${id}/approve`)))
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([202, 409, 409, 409, 409, 409, 409, 409])
    await Promise.all([story.server.run('applier'), second.run('applier')])
    expect(await counter()).toBe(before + 1)
    expect((await story.kinds(id)).filter((kind) => kind === 'order.approved')).toHaveLength(1)
    expect((await people[0]!.post(`/orders/${id}/approve`)).status).toBe(409)
  })

  it('a process that loses its connection in the middle changed nothing and blames nobody; another one applies', async () => {
    const before = await counter()
    const id = await approved()
    const gate = Promise.withResolvers<void>()
    const inside = Promise.withResolvers<number>()
    act = async ({ tx, records }) => {
      await records.put('counter', 'half-done', true)
      const [row] = await tx.query<{ pid: number }>(sql`select pg_backend_pid() as pid`)
      inside.resolve(row!.pid)
      await gate.promise
    }
    const first = story.server.run('applier')
    const pid = await inside.promise
    act = () => undefined
    // While the first holds the order, the other passes by instead of waiting.
    expect(await second.run('applier')).toBe(0)
    await story.server.database.sql(`select pg_terminate_backend($1)`, [pid])
    await until(
      async () => (await story.server.database.sql(`select 1 from pg_stat_activity where pid = $1`, [pid])).length === 0,
      'the backend is gone',
    )
    expect(await wasApplied(id)).toBe(false)
    gate.resolve()
    expect(await first).toBe(0)
    expect(await story.order(id)).toMatchObject({ state: 'approved', last_apply_error: null })

    expect(await second.run('applier')).toBe(1)
    expect(await story.order(id)).toMatchObject({ state: 'completed' })
    expect(await counter()).toBe(before + 1)
    expect(await story.server.database.sql(`select 1 from wm.records where key = 'half-done'`)).toEqual([])
    expect(await effectsOf(id)).toHaveLength(1)
  })

  it('an applier that woke up after another one had finished cannot commit', async () => {
    const before = await counter()
    const id = await approved()
    const gate = Promise.withResolvers<void>()
    const inside = Promise.withResolvers<number>()
    act = async ({ tx }) => {
      inside.resolve((await tx.query<{ pid: number }>(sql`select pg_backend_pid() as pid`))[0]!.pid)
      await gate.promise
    }
    const first = story.server.run('applier')
    const pid = await inside.promise
    act = () => undefined
    await story.server.database.sql(`select pg_terminate_backend($1)`, [pid])
    await until(() => second.run('applier'), 'the second applies')
    gate.resolve()
    await first
    expect(await counter()).toBe(before + 1)
    expect((await story.kinds(id)).filter((kind) => kind === 'order.applied' || kind === 'order.apply_failed')).toEqual(['order.applied'])
  })
})

describe('what was approved is what is applied', () => {
  it.each([
    ['a result', (id: string) => `update wm.submissions set result = '{"answer":"no"}' where order_id = '${id}'`, 'content_changed'],
    [
      'the evidence',
      (id: string) => `update wm.submissions set evidence = '[{"url":"https://example.org"}]' where order_id = '${id}'`,
      'content_changed',
    ],
    ['a note', (id: string) => `update wm.submissions set notes = 'trust me' where order_id = '${id}'`, 'content_changed'],
    ['the input of an item', (id: string) => `update wm.items set input = '{"note":"x"}' where order_id = '${id}'`, 'content_changed'],
    ['the payload', (id: string) => `update wm.orders set payload = '{"note":"x"}' where id = '${id}'`, 'content_changed'],
    ['the revision', (id: string) => `update wm.orders set revision = 7 where id = '${id}'`, 'content_changed'],
    ['the version of the type', (id: string) => `update wm.orders set type_version = 2 where id = '${id}'`, 'type_version_changed'],
    ['the state of an item', (id: string) => `update wm.items set state = 'dead_lettered' where order_id = '${id}'`, 'content_changed'],
    ['the decision', (id: string) => `update wm.approvals set digest = 'sha256:00' where order_id = '${id}'`, 'content_changed'],
    ['the type', (id: string) => `update wm.orders set type = 'test.gone' where id = '${id}'`, 'order_type_not_found'],
  ])('changing %s behind the approval makes apply refuse', async (_what, change, code) => {
    const before = await counter()
    const id = await approved()
    await tamper(change(id))
    await story.server.run('applier')
    expect(await story.order(id)).toMatchObject({ state: 'submitted', last_apply_error: { code } })
    expect(await counter()).toBe(before)
    expect(await effectsOf(id)).toEqual([])
    expect((await story.events(id, 'order.apply_failed'))[0]!.payload).toMatchObject({ code })
    // Never by itself into another try.
    expect(await story.server.run('applier')).toBe(0)
  })

  it('changing content between looking and approving makes approve refuse', async () => {
    const id = await full()
    const { digest } = await story.order(id)
    await tamper(`update wm.submissions set result = '{"answer":"no"}' where order_id = '${id}'`)
    const answer = await story.reviewer.post(`/orders/${id}/approve`, { digest })
    expect([answer.status, answer.body.code]).toEqual([412, 'content_changed'])
    expect((await story.order(id)).state).toBe('submitted')
  })

  it('changing content between judging it and its lock makes approve refuse, whoever named no digest too', async () => {
    const id = await full()
    const gate = await closeGate(story.server.database, 'select 1 from wm.orders where id = $1 for update', [id])
    const asked = story.reviewer.post(`/orders/${id}/approve`)
    await gate.waiting(1)
    await tamper(`update wm.submissions set result = '{"answer":"no"}' where order_id = '${id}'`)
    await gate.open()
    const answer = await asked
    expect([answer.status, answer.body.code]).toEqual([412, 'content_changed'])
    expect((await story.order(id)).state).toBe('submitted')
  })

  it('a digest of another key order is the same digest: content counts, not bytes', async () => {
    const id = await full()
    const { digest } = await story.order(id)
    await tamper(`update wm.orders set payload = '{ "note" : "n" }' where id = '${id}'`)
    expect((await story.order(id)).digest).toBe(digest)
  })
})

describe('an apply that fails', () => {
  it.each<[string, (context: Context) => unknown, RegExp]>([
    ['throws', () => Promise.reject(new Error('the target is closed')), /the target is closed/],
    ['throws no error', () => Promise.reject('just text'), /just text/],
    ['breaks a statement', ({ tx }) => tx.query(sql`select 1/0`), /division by zero/],
    ['swallows a database error', ({ tx }) => tx.query(sql`select 1/0`).catch(() => undefined), /aborted/],
    ['declares an unknown effect', ({ effect }) => effect('tel', {}), /effect 'tel' is not defined/],
    ['declares an effect that is no JSON', ({ effect }) => effect('tell', { big: 1n }), /BigInt/],
    ['returns a diff that is no JSON', ({ diff }) => ({ ...diff({}, {}), after: { big: 1n } }), /BigInt/],
    ['returns no diff', () => 'done', /must return a diff/],
    [
      'throws like a refused connection to somewhere else',
      () => Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })),
      /ECONNREFUSED/,
    ],
    ['loses a connection of its own', () => Promise.reject(new Error('Connection terminated unexpectedly')), /Connection terminated/],
    [
      'tries to write another tenant’s row',
      ({ tx }) =>
        tx.query(
          sql`insert into wm.records (tenant_id, collection, key, value, order_id, updated_at) values (gen_random_uuid(), 'x', 'x', '1', gen_random_uuid(), now())`,
        ),
      /row-level security/,
    ],
    [
      'tries to move its own order',
      ({ tx, order }) => tx.query(sql`update wm.orders set state = 'completed' where id = ${order.id}`),
      /Illegal state transition/,
    ],
  ])('because it %s: back to submitted, visible, nothing changed; approved again it applies', async (_what, failing, message) => {
    const before = await counter()
    const id = await full()
    act = failing
    await story.reviewer.post(`/orders/${id}/approve`)
    expect(await story.server.run('applier')).toBe(1)
    const order = await story.order(id)
    expect(order).toMatchObject({
      state: 'submitted',
      applied_at: null,
      last_apply_error: { code: 'apply_failed', message: expect.stringMatching(message) },
    })
    expect(await counter()).toBe(before)
    expect(await effectsOf(id)).toEqual([])
    const [event] = await story.events(id, 'order.apply_failed')
    expect(event).toMatchObject({ actor_type: 'system', message: expect.stringMatching(message) })
    expect(await story.server.run('applier')).toBe(0)

    act = () => undefined
    expect((await story.reviewer.post(`/orders/${id}/approve`)).status).toBe(202)
    expect(await story.server.run('applier')).toBe(1)
    expect(await story.order(id)).toMatchObject({ state: 'completed', last_apply_error: null })
    expect(await counter()).toBe(before + 1)
  })

  it('is told to whoever waits for it', async () => {
    const patient = await startStory({ types: [counted], database: story.server.database })
    try {
      const id = await full()
      act = () => Promise.reject(new Error('the target is closed'))
      const answer = await patient.approve(id, story.reviewer.key ? patient.reviewer : story.reviewer)
      expect([answer.status, answer.body.code], answer.text).toEqual([422, 'apply_failed'])
      expect(answer.body.detail).toContain('the target is closed')
    } finally {
      await patient.server.stop()
    }
  })

  it('that never ends is given up, and the next order is applied', async () => {
    const [stuck, next] = [await approved(), await approved()]
    act = ({ order }) => (order.id === stuck ? new Promise(() => {}) : undefined)
    const { tools } = story.server.manager
    await createService(applier(tools, { typeMs: 100 }), tools).runOnce()
    expect(await story.order(stuck)).toMatchObject({
      state: 'submitted',
      last_apply_error: { code: 'apply_failed', message: expect.stringContaining('took longer than') },
    })
    expect((await story.order(next)).state).toBe('completed')
  })

  it('cannot write any more once its transaction is over', async () => {
    let kept: Queryable | undefined
    act = ({ tx }) => void (kept = tx)
    const id = await approved()
    await story.server.run('applier')
    expect((await story.order(id)).state).toBe('completed')
    await expect(kept!.query(sql`select 1`)).rejects.toThrow('the transaction is over')
  })
})

describe('an apply that takes long', () => {
  it('answers 202 and completes later; a repeat of the request hears how it ended', async () => {
    const id = await full()
    const gate = Promise.withResolvers<void>()
    act = () => gate.promise
    const asked = await story.reviewer.post(`/orders/${id}/approve`, {}, { key: `slow-${id}` })
    expect(asked.status).toBe(202)
    const applying = story.server.run('applier')
    expect((await story.reviewer.post(`/orders/${id}/approve`)).body.code).toBe('illegal_state_transition')
    gate.resolve()
    await applying
    expect((await story.order(id)).state).toBe('completed')
    const repeated = await story.reviewer.post(`/orders/${id}/approve`, {}, { key: `slow-${id}` })
    expect([repeated.status, repeated.body.order.state]).toEqual([200, 'completed'])
  })

  it('cannot be cancelled once it began, only before', async () => {
    const id = await approved()
    const gate = Promise.withResolvers<void>()
    const inside = Promise.withResolvers<void>()
    act = () => (inside.resolve(), gate.promise)
    const applying = story.server.run('applier')
    await inside.promise
    const cancelling = story.proposer.post(`/orders/${id}/cancel`, { reason: 'too late' })
    await until(
      async () =>
        (await story.server.database.sql(`select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`))
          .length > 0,
      'cancel waits',
    )
    gate.resolve()
    await applying
    expect((await cancelling).body).toMatchObject({ code: 'illegal_state_transition', current_state: 'completed' })

    const early = await approved()
    expect((await story.proposer.post(`/orders/${early}/cancel`, { reason: 'in time' })).body.order.state).toBe('cancelled')
    expect(await story.server.run('applier')).toBe(0)
    expect(await wasApplied(early)).toBe(false)
  })
})

it('declares the same effect key on every attempt, so that a repeated apply would not send twice', async () => {
  const id = await full()
  act = () => Promise.reject(new Error('first time'))
  await story.reviewer.post(`/orders/${id}/approve`)
  await story.server.run('applier')
  act = () => undefined
  await story.reviewer.post(`/orders/${id}/approve`)
  await story.server.run('applier')
  await story.server.run('effect-runner')
  expect(sent.filter((key) => key.includes(id))).toEqual([`apply:${id}:1:tell:0`])
})
