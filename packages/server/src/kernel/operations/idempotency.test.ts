/** One key, one effect, one answer: replayed byte for byte, also by another process after a restart; never for another request or caller. */
import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echoType } from '../../../testing/echo-type.ts'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { closeGate, recordOf } from '../../../testing/row-gate.ts'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { type Answer, type Caller, createCaller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'

const types = [essayType, echoType]
// Several servers share one small database: each gets few connections.
// Agents of earlier versions send no lease token: equal bodies for two items are possible only so.
const config = { database: { max_connections: 8 }, lease: { require_token: false } }
let database: TestDatabase
let server: TestServer
let other: TestServer
let proposer: Caller
let robin: Caller
let rita: Caller
let tenantId: string

beforeAll(async () => {
  database = await createTestDatabase()
  server = await startTestServer({ config, types, database, background: false })
  other = await startTestServer({ config, types, database, background: false })
  proposer = await server.caller('service', 'crm')
  robin = await server.caller('agent', 'robin')
  rita = await server.caller('person', 'rita')
  tenantId = (await server.manager.tenants.ensure('acme', 'acme')).id
})
afterAll(async () => {
  await other.stop()
  await server.stop()
  await database.drop()
})

const proposal = (titles = ['one']) => ({ type: 'test.essay', payload: { titles } })
const propose = async (titles = ['one']): Promise<string> => (await proposer.post('/propose', proposal(titles))).body.order.id
const take = async (orderId: string): Promise<{ id: string; lease_token: string }> =>
  (await robin.post(`/orders/${orderId}/checkout`)).body.item
const submitted = async (): Promise<string> => {
  const orderId = await propose()
  const item = await take(orderId)
  expect((await robin.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: essay })).status).toBe(202)
  return orderId
}
const rejection = { allow_rework: true, errors: [{ field: 'body', code: 'dull', message: 'Dull.' }] }

interface Prepared {
  readonly who: Caller
  readonly path: string
  readonly body: object
  readonly changed: object
  readonly orderId: string | null
  /** The event that must be there exactly once. */
  readonly kind: string
}
/** Every operation that takes keys, ready to be called. */
const operations: Record<string, () => Promise<Prepared>> = {
  propose: async () => ({
    who: proposer,
    path: '/propose',
    body: proposal(),
    changed: proposal(['two']),
    orderId: null,
    kind: 'order.proposed',
  }),
  submit: async () => {
    const orderId = await propose()
    const item = await take(orderId)
    const body = { lease_token: item.lease_token, result: essay }
    return { who: robin, path: `/items/${item.id}/submit`, body, changed: { ...body, notes: 'other' }, orderId, kind: 'item.submitted' }
  },
  parts: async () => {
    const orderId = await propose()
    const item = await take(orderId)
    const body = { lease_token: item.lease_token, part_key: 'body', payload: essay.body }
    return { who: robin, path: `/items/${item.id}/parts`, body, changed: { ...body, seq: 7 }, orderId, kind: 'item.part_submitted' }
  },
  finalize: async () => {
    const orderId = await propose()
    const item = await take(orderId)
    await robin.post(`/items/${item.id}/parts`, { lease_token: item.lease_token, part_key: 'body', payload: essay.body })
    const body = { lease_token: item.lease_token }
    return { who: robin, path: `/items/${item.id}/finalize`, body, changed: { ...body, notes: 'other' }, orderId, kind: 'item.submitted' }
  },
  release: async () => {
    const orderId = await propose()
    const item = await take(orderId)
    return {
      who: robin,
      path: `/items/${item.id}/release`,
      body: { lease_token: item.lease_token },
      changed: {},
      orderId,
      kind: 'item.released',
    }
  },
  fail: async () => {
    const orderId = await propose()
    const item = await take(orderId)
    const body = { lease_token: item.lease_token, class: 'transient', error: { code: 'down', message: 'Down.' } }
    return { who: robin, path: `/items/${item.id}/fail`, body, changed: { ...body, class: 'agent' }, orderId, kind: 'item.failed' }
  },
  approve: async () => {
    const orderId = await submitted()
    const { digest } = (await rita.get(`/orders/${orderId}`)).body.order
    return { who: rita, path: `/orders/${orderId}/approve`, body: {}, changed: { digest }, orderId, kind: 'order.approved' }
  },
  reject: async () => {
    const orderId = await submitted()
    return {
      who: rita,
      path: `/orders/${orderId}/reject`,
      body: rejection,
      changed: { ...rejection, allow_rework: false },
      orderId,
      kind: 'order.rejected',
    }
  },
  cancel: async () => {
    const orderId = await propose()
    return {
      who: rita,
      path: `/orders/${orderId}/cancel`,
      body: { reason: 'No.' },
      changed: { reason: 'Really no.' },
      orderId,
      kind: 'order.cancelled',
    }
  },
}
const names = Object.keys(operations)
const routeNames: Record<string, string> = {
  propose: 'propose_order',
  submit: 'submit_item',
  parts: 'submit_part',
  finalize: 'finalize_item',
  release: 'release_item',
  fail: 'fail_item',
  approve: 'approve_order',
  reject: 'reject_order',
  cancel: 'cancel_order',
}
const through = (door: TestServer, caller: Caller): Caller => createCaller(door.url, caller.key, caller.id)
/** An approve is answered when its apply is done; the background is off, so the test lets the applier run meanwhile. */
const settle = async (name: string, calls: Promise<Answer>[]): Promise<Answer[]> => {
  const race = { over: false }
  const all = Promise.all(calls).finally(() => (race.over = true))
  if (name === 'approve') while (!race.over) await server.run('applier')
  return all
}
const call = async (name: string, made: Promise<Answer>): Promise<Answer> => (await settle(name, [made]))[0]!
const factsOf = async (prepared: Prepared, answer: Answer): Promise<number> => {
  const orderId = prepared.orderId ?? answer.body.order.id
  return (await recordOf(database, orderId)).events.filter((kind) => kind === prepared.kind).length
}

describe.each(names)('%s', (name) => {
  it('is replayed byte for byte, by another process, too, and happens once', async () => {
    const prepared = await operations[name]!()
    const key = randomUUID()
    const first = await call(name, prepared.who.post(prepared.path, prepared.body, { key }))
    expect(first.status, first.text).toBeLessThan(300)
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    const before = await recordOf(database, prepared.orderId ?? first.body.order.id)
    for (const door of [server, other]) {
      const again = await call(name, through(door, prepared.who).post(prepared.path, prepared.body, { key }))
      expect([again.status, again.text]).toEqual([first.status, first.text])
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'))
      expect(again.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'))
      expect(Date.parse(again.headers.get('idempotency-expires')!)).toBeGreaterThan(Date.now() + 70 * 3_600_000)
    }
    expect(await recordOf(database, prepared.orderId ?? first.body.order.id)).toEqual(before)
    expect(await factsOf(prepared, first)).toBe(1)
  })

  it('with another body under the same key is refused and tells nothing of the first', async () => {
    const prepared = await operations[name]!()
    const key = randomUUID()
    const first = await call(name, prepared.who.post(prepared.path, prepared.body, { key }))
    const before = await recordOf(database, prepared.orderId ?? first.body.order.id)
    const changed = await call(name, prepared.who.post(prepared.path, prepared.changed, { key }))
    expect([changed.status, changed.body.code]).toEqual([422, 'idempotency_mismatch'])
    expect(changed.text).not.toContain('Once upon a time')
    expect(await recordOf(database, prepared.orderId ?? first.body.order.id)).toEqual(before)
    const again = await call(name, prepared.who.post(prepared.path, prepared.body, { key }))
    expect(again.text).toBe(first.text)
  })

  it('while the first is under way: 409 at once, nothing waits, nothing is written', async () => {
    const prepared = await operations[name]!()
    const key = randomUUID()
    const principal = { [proposer.id]: `service:${proposer.id}`, [robin.id]: `agent:${robin.id}`, [rita.id]: `person:${rita.id}` }[
      prepared.who.id
    ]
    const hash = createHash('sha256').update(key).digest('hex')
    // What the first request holds until it commits.
    const gate = await closeGate(database, 'select pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `${tenantId}|${principal}|${routeNames[name]}|${hash}`,
    ])
    const before = prepared.orderId && (await recordOf(database, prepared.orderId))
    const answer = await call(name, prepared.who.post(prepared.path, prepared.body, { key }))
    expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([409, 'idempotency_in_progress', '1'])
    if (prepared.orderId) expect(await recordOf(database, prepared.orderId)).toEqual(before)
    await gate.open()
    expect((await call(name, prepared.who.post(prepared.path, prepared.body, { key }))).status).toBeLessThan(300)
  })

  it('32 at once with one key, through two processes: one effect, and every answer is that one or "in progress"', async () => {
    const prepared = await operations[name]!()
    const key = randomUUID()
    const answers = await settle(
      name,
      Array.from({ length: 32 }, (_, n) => through(n % 2 ? server : other, prepared.who).post(prepared.path, prepared.body, { key })),
    )
    const good = answers.filter((one) => one.status < 300)
    expect(good.length, answers[0]!.text).toBeGreaterThanOrEqual(1)
    expect(new Set(good.map((one) => `${one.status} ${one.text}`)).size).toBe(1)
    for (const { status, body } of answers) if (status >= 300) expect([status, body.code]).toEqual([409, 'idempotency_in_progress'])
    expect(await factsOf(prepared, good[0]!)).toBe(1)
    expect((await call(name, prepared.who.post(prepared.path, prepared.body, { key }))).text).toBe(good[0]!.text)
  })
})

it('64 proposals at once with one key make one order', async () => {
  const [before] = await database.sql<{ n: number }>('select count(*)::int as n from wm.orders')
  const key = randomUUID()
  const answers = await Promise.all(Array.from({ length: 64 }, () => proposer.post('/propose', proposal(), { key })))
  const [after] = await database.sql<{ n: number }>('select count(*)::int as n from wm.orders')
  expect(after!.n - before!.n).toBe(1)
  expect(answers.filter((one) => one.status === 201).length).toBeGreaterThanOrEqual(1)
})

it('the same request with its members in another order is the same request, other values are not', async () => {
  const key = randomUUID()
  const first = await proposer.post('/propose', '{"type":"test.essay","priority":1,"payload":{"titles":["a","b"]}}', { key })
  const again = await proposer.post('/propose', '{ "payload": {"titles": ["a", "b"]}, "priority": 1.0, "type": "test.essay" }', { key })
  expect([again.status, again.text]).toEqual([201, first.text])
  const swapped = await proposer.post('/propose', '{"type":"test.essay","priority":1,"payload":{"titles":["b","a"]}}', { key })
  expect(swapped.body.code).toBe('idempotency_mismatch')
})

describe('a key belongs to', () => {
  it('one tenant, one caller and one operation; elsewhere it is another key', async () => {
    const key = randomUUID()
    const first = await proposer.post('/propose', proposal(), { key })
    const colleague = await server.caller('service', 'shop')
    const namesake = await server.caller('service', 'crm', { tenant: 'globex' })
    const person = await server.caller('person', 'crm')
    const ids = [first.body.order.id]
    for (const who of [colleague, namesake, person]) {
      const answer = await who.post('/propose', proposal(['two']), { key })
      expect([answer.status, answer.headers.get('idempotent-replayed')]).toEqual([201, null])
      ids.push(answer.body.order.id)
    }
    expect(new Set(ids).size).toBe(4)
    const cancelled = await proposer.post(`/orders/${first.body.order.id}/cancel`, { reason: 'Another operation.' }, { key })
    expect(cancelled.status, cancelled.text).toBe(200)
  })

  it('the caller, not the key in use today: a rotated API key replays', async () => {
    const key = randomUUID()
    const first = await proposer.post('/propose', proposal(), { key })
    const rotated = await server.caller('service', 'crm')
    expect((await rotated.post('/propose', proposal(), { key })).text).toBe(first.text)
  })

  it('one item: the same body for another one is another request', async () => {
    const orderId = await propose(['one', 'two'])
    const [one, two] = [await take(orderId), await take(orderId)]
    const key = randomUUID()
    expect((await robin.post(`/items/${one.id}/release`, {}, { key })).status).toBe(200)
    expect((await robin.post(`/items/${two.id}/release`, {}, { key })).body.code).toBe('idempotency_mismatch')
  })
})

describe('only effects are kept', () => {
  it('a refused proposal: corrected, the same key works', async () => {
    const key = randomUUID()
    expect((await proposer.post('/propose', { type: 'test.essay', payload: { titles: [] } }, { key })).status).toBe(422)
    expect((await proposer.post('/propose', { type: 'test.nothing', payload: { titles: ['one'] } }, { key })).status).toBe(404)
    const made = await proposer.post('/propose', proposal(), { key })
    expect([made.status, made.headers.get('idempotent-replayed')]).toEqual([201, null])
  })

  it('a submission that failed its checks, a part that was refused, a finalize without parts', async () => {
    const item = await take(await propose())
    const token = { lease_token: item.lease_token }
    const send = (verb: string, body: object, key: string) => robin.post(`/items/${item.id}/${verb}`, { ...token, ...body }, { key })
    const [submit, part, finalize] = [randomUUID(), randomUUID(), randomUUID()]
    expect((await send('submit', { result: { body: { text: '' } } }, submit)).status).toBe(422)
    expect((await send('finalize', {}, finalize)).status).toBe(422)
    expect((await send('parts', { part_key: 'body', payload: { text: '' } }, part)).status).toBe(422)
    expect((await send('parts', { part_key: 'body', payload: essay.body }, part)).status).toBe(202)
    expect((await send('finalize', {}, finalize)).status).toBe(202)
    // The same key that was refused is free for what comes after a rework.
    expect((await send('submit', { result: essay }, submit)).body.code).toBe('already_submitted')
  })

  it('an approval that came too early', async () => {
    const orderId = await propose()
    const key = randomUUID()
    expect((await rita.post(`/orders/${orderId}/approve`, {}, { key })).body.code).toBe('not_ready_for_approval')
    const item = await take(orderId)
    await robin.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: essay })
    expect((await call('approve', rita.post(`/orders/${orderId}/approve`, {}, { key }))).status).toBe(200)
  })

  it('a caller without the ability', async () => {
    const key = randomUUID()
    const orderId = await submitted()
    const weak = await server.caller('person', 'ruth', { abilities: ['work:view'] })
    expect((await weak.post(`/orders/${orderId}/approve`, {}, { key })).status).toBe(403)
    const strong = await server.caller('person', 'ruth')
    expect((await call('approve', strong.post(`/orders/${orderId}/approve`, {}, { key }))).status).toBe(200)
  })
})

describe('an approve whose answer was never kept', () => {
  it('is answered again from the record after a crash: same decision, same diff, and from then on the same bytes', async () => {
    const proposed = await proposer.post('/propose', { type: 'test.echo', payload: { messages: ['hi'] } })
    const orderId = proposed.body.order.id
    const item = await take(orderId)
    await robin.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { echoed: 'hi', ok: true } })
    const key = randomUUID()
    const first = await call('approve', rita.post(`/orders/${orderId}/approve`, {}, { key }))
    expect(first.body.diff.after).toMatchObject({ messages: ['hi'] })
    // The process ended between the commit of the decision and the keeping of its answer.
    await database.sql(`update wm.idempotency set status = null, body = null where operation = 'approve_order' and key_hash = $1`, [
      createHash('sha256').update(key).digest(),
    ])
    const before = await recordOf(database, orderId)
    const resumed = await through(other, rita).post(`/orders/${orderId}/approve`, {}, { key })
    expect([resumed.status, resumed.text]).toEqual([first.status, first.text])
    const replayed = await rita.post(`/orders/${orderId}/approve`, {}, { key })
    expect([replayed.status, replayed.text, replayed.headers.get('idempotent-replayed')]).toEqual([200, resumed.text, 'true'])
    expect((await rita.post(`/orders/${orderId}/approve`, { digest: 'sha256:other' }, { key })).body.code).toBe('idempotency_mismatch')
    expect(await recordOf(database, orderId)).toEqual(before)
  })

  it('is answered alike for a twin that looked for an answer just before there was one', async () => {
    const orderId = await submitted()
    const [key, elsewhere] = [randomUUID(), randomUUID()].map((one) => ({ key: one, hash: createHash('sha256').update(one).digest() })) as [
      { key: string; hash: Buffer },
      { key: string; hash: Buffer },
    ]
    const first = await call('approve', rita.post(`/orders/${orderId}/approve`, {}, { key: key.key }))
    expect(first.status, first.text).toBe(200)
    const move = (from: Buffer, to: Buffer) => database.sql('update wm.idempotency set key_hash = $2 where key_hash = $1', [from, to])
    // The twin finds no answer, and is stopped before it reads the order; then the answer is there.
    await move(key.hash, elsewhere.hash)
    const gate = await closeGate(database, 'lock table wm.orders in access exclusive mode')
    const twin = rita.post(`/orders/${orderId}/approve`, {}, { key: key.key })
    await gate.waiting()
    await move(elsewhere.hash, key.hash)
    await gate.open()
    expect([(await twin).status, (await twin).text]).toEqual([200, first.text])
  })

  it('has one answer once it is over: who heard 202 hears it by the same key', async () => {
    const orderId = await submitted()
    const key = randomUUID()
    const hasty = await startTestServer({ config: { ...config, approval: { wait_ms: 1000 } }, types, database, background: false })
    const first = through(hasty, rita).post(`/orders/${orderId}/approve`, {}, { key })
    await until(
      async () => (await database.sql(`select 1 from wm.idempotency where operation = 'approve_order' and status is null`)).length > 0,
      'the decision is committed',
    )
    const second = rita.post(`/orders/${orderId}/approve`, {}, { key })
    expect((await first).status).toBe(202)
    await server.run('applier')
    const { status, text } = await second
    expect(status).toBe(200)
    expect((await through(hasty, rita).post(`/orders/${orderId}/approve`, {}, { key })).text).toBe(text)
    expect((await rita.post(`/orders/${orderId}/approve`, {}, { key })).text).toBe(text)
    expect((await rita.get(`/orders/${orderId}`)).body.order.state).toBe('completed')
    await hasty.stop()
  })
})

it('a replay outlives the server', async () => {
  const item = await take(await propose())
  const body = { lease_token: item.lease_token, result: essay, notes: 'ünïcode \u2028 {"a": 1.0}' }
  const key = randomUUID()
  const send = async (): Promise<Answer> => {
    const shortLived = await startTestServer({ config, types, database, background: false })
    const answer = await through(shortLived, robin).post(`/items/${item.id}/submit`, body, { key })
    await shortLived.stop()
    return answer
  }
  const first = await send()
  expect(first.status, first.text).toBe(202)
  const again = await send()
  expect([again.status, again.text, again.headers.get('idempotent-replayed')]).toEqual([202, first.text, 'true'])
})

describe('the grammar of keys', () => {
  const send = (headers: Record<string, string>): Promise<Answer> => proposer.post('/propose', proposal(), { key: null, headers })
  it.each([
    ['empty', ''],
    ['256 characters', 'x'.repeat(256)],
    ['not ASCII', 'schlüssel'],
    ['white space inside', 'a b'],
    ['an empty quoted string', '""'],
  ])('%s is refused', async (_what, key) => {
    expect(await send({ 'idempotency-key': key })).toMatchObject({ status: 400, body: { code: 'idempotency_key_malformed' } })
  })

  it('none is refused where one is required', async () => {
    expect(await send({})).toMatchObject({ status: 428, body: { code: 'idempotency_key_required' } })
  })

  it.each([
    ['one character', () => String.fromCharCode(33 + Math.floor(Math.random() * 90))],
    ['255 characters', () => `${randomUUID()}${'~'.repeat(255 - 36)}`],
  ])('%s is accepted', async (_what, make) => {
    const key = make()
    expect((await send({ 'idempotency-key': key })).status, key).toBe(201)
  })

  it('quoted or bare, under either header, it is the same key; two different ones are refused', async () => {
    const key = randomUUID()
    const first = await send({ 'idempotency-key': key })
    const spellings: Record<string, string>[] = [
      { 'idempotency-key': `"${key}"` },
      { 'x-idempotency-key': key },
      { 'idempotency-key': key, 'x-idempotency-key': key },
    ]
    for (const headers of spellings) expect((await send(headers)).text).toBe(first.text)
    expect(await send({ 'idempotency-key': key, 'x-idempotency-key': randomUUID() })).toMatchObject({
      status: 400,
      body: { code: 'idempotency_key_malformed' },
    })
  })

  it('upper and lower case are different keys', async () => {
    const key = randomUUID()
    const [lower, upper] = [await send({ 'idempotency-key': key }), await send({ 'idempotency-key': key.toUpperCase() })]
    expect(upper.body.order.id).not.toBe(lower.body.order.id)
  })
})
