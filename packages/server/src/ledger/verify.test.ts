/** The chain holds after real work; every kind of tampering by somebody who owns the database is found and named. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { echoType } from '../../testing/echo-type.ts'
import { type Caller, startTestServer, type TestServer } from '../../testing/test-server.ts'
import { nullMetrics } from '../metrics/metrics.ts'
import { createSequencer } from './sequencer.ts'
import { renderLedger } from './store.ts'
import { ledgerHash, type LedgerEntry, type LedgerExport, verifyExport, verifyLedger } from './verify.ts'

let server: TestServer
let stories = 0
let tenant: { slug: string; id: string; caller: Caller }

/** A tenant of its own with one order worked on until it waits for approval: eight events, with odd characters and with empty members. */
async function tellStory(): Promise<typeof tenant> {
  const slug = `tenant-${++stories}`
  const agent = await server.caller('agent', 'agent-1', { tenant: slug })
  const message = 'Grüße, 世界 🚀: "quoted" \\ and\ttabs,'
  const proposed = await agent.post('/propose', { type: 'test.echo', payload: { messages: [message] }, meta: { n: 1.5 } })
  const { item } = (await agent.post(`/orders/${proposed.body.order.id}/checkout`, {}, { key: null })).body
  expect((await agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null })).status).toBe(200)
  const submitted = await agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { echoed: message, ok: true } })
  expect(submitted.status, submitted.text).toBe(202)
  await server.run('sequencer')
  const [row] = await server.database.sql<{ id: string }>('select id from wm.tenants where slug = $1', [slug])
  return { slug, id: row!.id, caller: agent }
}
const verify = (checkpoint: { seq: number; hash: string } | null = null) => verifyLedger(server.manager.tools.system, tenant.id, checkpoint)

/** As the owner of the machine would: superuser, triggers off. `$tenant` is the tenant's id. */
async function tamper(...statements: string[]): Promise<void> {
  const text = statements.join('; ').replaceAll('$tenant', `'${tenant.id}'`)
  await server.database.sql(`begin; set local session_replication_role = replica; ${text}; commit`)
}

/** An approval that never was, as a hand inside the database would write it. */
const forge = (tenantId: string, seq: number, hash = "sha256('x')") =>
  `insert into wm.events (tenant_id, seq, id, subject_type, kind, priority, decided_at, sequenced_at, hash_version, hash)
   values (${tenantId}, ${seq}, gen_random_uuid(), 'order', 'order.approved', 0, now(), now(), 2, ${hash})`

async function exportAll(caller: Caller, limit: number): Promise<LedgerExport> {
  const entries: LedgerEntry[] = []
  for (let after: number | null = 0; after !== null;) {
    const { status, text, body } = await caller.get(`/ledger?after=${after}&limit=${limit}`)
    expect(status, text).toBe(200)
    entries.push(...body.entries)
    if (body.next_after === null) return { tenant_id: body.tenant_id, entries, head: body.head }
    after = body.next_after as number
  }
  throw new Error('unreachable')
}

beforeAll(async () => {
  server = await startTestServer({ types: [echoType], background: false })
})
afterAll(() => server.stop())
beforeEach(async () => {
  tenant = await tellStory()
})

describe('an untouched record', () => {
  it('verifies in the database, up to its head', async () => {
    const verdict = await verify()
    expect(verdict).toMatchObject({ ok: true, entries: 8, head: { seq: 8 } })
    const [{ n }] = (await server.database.sql<{ n: number }>('select count(*)::int as n from wm.events where tenant_id = $1', [
      tenant.id,
    ])) as [{ n: number }]
    expect(n).toBe(8)
  })

  it('verifies offline from the pages of GET /ledger, and goes on verifying as it grows', async () => {
    const first = await exportAll(tenant.caller, 3)
    expect(verifyExport(first)).toMatchObject({ ok: true, entries: 8 })
    expect(first).toEqual(await exportAll(tenant.caller, 1000))
    await tenant.caller.post('/propose', { type: 'test.echo', payload: { messages: ['more'] } })
    await server.run('sequencer')
    const second = await exportAll(tenant.caller, 1000)
    expect(second.entries.slice(0, 8)).toEqual(first.entries)
    expect(verifyExport(second, first.head)).toMatchObject({ ok: true, entries: 10 })
  })

  it('verifies when names and reasons are not ASCII: lengths are counted in bytes', async () => {
    const person = await server.caller('person', 'rita', { tenant: tenant.slug })
    const { order } = (await tenant.caller.post('/propose', { type: 'test.echo', payload: { messages: ['x'] } })).body
    expect((await person.post(`/orders/${order.id}/cancel`, { reason: 'Zurückgezogen, 不要 🚫' })).status).toBe(200)
    await server.run('sequencer')
    const exported = await exportAll(tenant.caller, 1000)
    expect(exported.entries.at(-1)!.event!.message).toBe('Zurückgezogen, 不要 🚫')
    expect(verifyExport(exported)).toMatchObject({ ok: true })
  })

  it('of a tenant without events is an empty export that verifies', async () => {
    const caller = await server.caller('person', 'new', { tenant: 'nothing-yet' })
    const empty = await exportAll(caller, 10)
    expect(empty).toMatchObject({ entries: [], head: null })
    expect(verifyExport(empty)).toMatchObject({ ok: true, entries: 0 })
  })

  it('gives away nothing of other tenants, and needs work:view', async () => {
    const other = await tellStory()
    const text = JSON.stringify(await exportAll(tenant.caller, 1000))
    expect(text).not.toContain(other.id)
    const blind = await server.caller('agent', 'blind', { tenant: tenant.slug, abilities: ['work:checkout'] })
    expect((await blind.get('/ledger')).status).toBe(403)
  })
})

describe('names the first bad entry when somebody', () => {
  const cases: [what: string, seq: number, damage: string, statements: string[]][] = [
    ['edits a payload', 3, 'content_changed', [`update wm.events set payload = '{"generation":99}' where tenant_id = $tenant and seq = 3`]],
    [
      'edits white space in a payload',
      1,
      'content_changed',
      [`update wm.events set payload = (' ' || payload::text)::json where tenant_id = $tenant and seq = 1`],
    ],
    ['edits who did it', 4, 'content_changed', [`update wm.events set principal = 'agent:other' where tenant_id = $tenant and seq = 4`]],
    [
      'edits when it happened',
      5,
      'content_changed',
      [`update wm.events set decided_at = decided_at - interval '1 microsecond' where tenant_id = $tenant and seq = 5`],
    ],
    [
      'moves text from one member to the next',
      2,
      'content_changed',
      [`update wm.events set kind = kind || '1:x,' where tenant_id = $tenant and seq = 2`],
    ],
    [
      'edits the order that it belongs to',
      2,
      'content_changed',
      ['update wm.events set root_id = gen_random_uuid() where tenant_id = $tenant and seq = 2'],
    ],
    [
      'edits the story that it belongs to',
      3,
      'content_changed',
      [`update wm.events set correlation_id = 'another-story' where tenant_id = $tenant and seq = 3`],
    ],
    ['edits its priority', 7, 'content_changed', ['update wm.events set priority = 3 - priority where tenant_id = $tenant and seq = 7']],
    ['edits which request it was', 1, 'content_changed', [`update wm.events set request_id = 'x' where tenant_id = $tenant and seq = 1`]],
    ['edits what is counted of it', 4, 'content_changed', [`update wm.events set seconds = 1 where tenant_id = $tenant and seq = 4`]],
    ['calls a hash an old one', 5, 'version_back', ['update wm.events set hash_version = 1 where tenant_id = $tenant and seq >= 5']],
    ['deletes an event', 6, 'entry_missing', ['delete from wm.events where tenant_id = $tenant and seq = 6']],
    [
      'deletes an event and closes the gap',
      4,
      'content_changed',
      [
        'delete from wm.events where tenant_id = $tenant and seq = 4',
        'update wm.events set seq = seq - 1 where tenant_id = $tenant and seq > 4',
        'update wm.ledger_heads set seq = seq - 1 where tenant_id = $tenant',
      ],
    ],
    [
      'swaps two events',
      3,
      'content_changed',
      ['update wm.events set seq = case seq when 3 then 6 else 3 end where tenant_id = $tenant and seq in (3, 6)'],
    ],
    ['cuts off the tail', 7, 'tail_missing', ['delete from wm.events where tenant_id = $tenant and seq > 6']],
    ['empties the chain', 1, 'tail_missing', ['delete from wm.events where tenant_id = $tenant']],
    ['changes the head', 8, 'head_changed', [`update wm.ledger_heads set hash = sha256('x') where tenant_id = $tenant`]],
    ['removes the head', 0, 'event_unnumbered', ['delete from wm.ledger_heads where tenant_id = $tenant']],
    ['edits a hash', 5, 'content_changed', [`update wm.events set hash = sha256('x') where tenant_id = $tenant and seq = 5`]],
    [
      'inserts an event between two others',
      5,
      'content_changed',
      [
        'update wm.events set seq = seq + 1000 where tenant_id = $tenant and seq >= 5',
        'update wm.events set seq = seq - 999 where tenant_id = $tenant and seq > 1000',
        forge('$tenant', 5),
        'update wm.ledger_heads set seq = 9 where tenant_id = $tenant',
      ],
    ],
    ['puts an event beside another one', 6, 'entry_missing', [forge('$tenant', 5)]],
    ['slips in an event behind the end', 8, 'event_unnumbered', [forge('$tenant', 9)]],
    ['slips one in far behind the end', 8, 'event_unnumbered', [forge('$tenant', 1_000_000)]],
  ]

  it.each(cases)('%s: entry %i, %s', async (_, seq, damage, statements) => {
    await tamper(...statements)
    expect(await verify()).toMatchObject({ ok: false, tenantId: tenant.id, seq, damage, detail: expect.stringMatching(/\w+ \w+/) })
  })

  it('puts one beside the last entry of a page, with its hash: neither its page nor the next is without it', async () => {
    await tamper(forge('$tenant', 3, '(select e.hash from wm.events e where e.tenant_id = $tenant and e.seq = 3)'))
    expect(verifyExport(await exportAll(tenant.caller, 3))).toMatchObject({ ok: false, seq: 4, damage: 'entry_missing' })
    const pages = renderLedger(server.manager.tools.system, tenant.id, { after: 0, through: 8, limit: 3 })
    expect((await pages).map(({ seq }) => seq)).toEqual([1, 2, 3, 3])
  })

  it('edits an exported file, as the stranger with the file sees it', async () => {
    const exported = await exportAll(tenant.caller, 1000)
    const edited = structuredClone(exported) as unknown as { entries: { event: { actor_id: string } }[] }
    edited.entries[6]!.event.actor_id = 'somebody-else'
    expect(verifyExport(edited as unknown as LedgerExport)).toMatchObject({ ok: false, seq: 7, damage: 'content_changed' })
    expect(verifyExport({ ...exported, entries: exported.entries.slice(0, -1) })).toMatchObject({
      ok: false,
      seq: 8,
      damage: 'tail_missing',
    })
    expect(verifyExport({ ...exported, tenant_id: '00000000-0000-0000-0000-000000000000' })).toMatchObject({
      ok: false,
      seq: 1,
      damage: 'content_changed',
    })
  })
})

describe('GET /ledger/verify', () => {
  const ask = async (query = '') => (await tenant.caller.get(`/ledger/verify${query}`)).body
  const whole = { ok: true, seq: 8, damage: null, detail: null, next_after: null }

  it('says that the record holds, in one call or in several, and what to note down', async () => {
    const answer = await ask()
    expect(answer).toMatchObject({ ...whole, head: { seq: 8, hash: expect.stringMatching(/^[0-9a-f]{64}$/) } })
    expect(await ask('?limit=3')).toMatchObject({ ok: true, seq: 3, next_after: 3 })
    expect(await ask('?after=3&limit=4')).toMatchObject({ ok: true, seq: 7, next_after: 7 })
    expect(await ask('?after=7&limit=4')).toEqual(answer)
    expect(await ask(`?checkpoint=8:${answer.head.hash}`)).toEqual(answer)
    expect(await ask(`?checkpoint=8:${'0'.repeat(64)}`)).toMatchObject({ ok: false, seq: 8, damage: 'rewritten' })
    expect((await ask(`?after=8&checkpoint=8:${answer.head.hash}`)).code).toBe('validation_failed')
  })

  it('finds a forged approval that a reader of the order would be shown', async () => {
    const [{ id: order }] = (await server.database.sql<{ id: string }>(
      `select root_id as id from wm.events where tenant_id = $1 and root_id is not null limit 1`,
      [tenant.id],
    )) as [{ id: string }]
    await tamper(
      forge('$tenant', 9),
      `update wm.events set root_id = '${order}', subject_id = '${order}' where tenant_id = $tenant and seq = 9`,
    )
    expect((await tenant.caller.get(`/orders/${order}/logs`)).body.events[0]).toMatchObject({ kind: 'order.approved', seq: 9 })
    expect(await ask()).toMatchObject({ ok: false, seq: 8, damage: 'event_unnumbered', detail: expect.stringContaining('order.approved') })
  })

  it('names a damage wherever it lies, also when it begins behind it', async () => {
    await tamper(`update wm.events set message = 'x' where tenant_id = $tenant and seq = 6`)
    expect(await ask()).toMatchObject({ ok: false, seq: 6, damage: 'content_changed', next_after: null })
    expect(await ask('?after=5')).toMatchObject({ ok: false, seq: 6 })
    expect(await ask('?limit=5')).toMatchObject({ ok: true, seq: 5, next_after: 5 })
  })

  it('includes what was not numbered when it was asked', async () => {
    await tenant.caller.post('/propose', { type: 'test.echo', payload: { messages: ['more'] } })
    expect(await ask()).toMatchObject({ ok: true, seq: 10 })
  })
})

describe('a chain that was written anew', () => {
  it('is sound in itself, and found by a head that was noted elsewhere', async () => {
    const noted = (await exportAll(tenant.caller, 1000)).head!
    await tamper(
      `insert into wm.intake (tenant_id, decided_at, kinds, ids, subject_ids, root_ids, labels, actor_types, actor_ids, principals, messages)
       select tenant_id, decided_at, array[kind], array[id], array[subject_id], array[root_id], array[label], array[actor_type], array[actor_id],
              array[principal], array[case seq when 2 then 'it never was like that' else message end]
         from wm.events where tenant_id = $tenant order by seq`,
      'delete from wm.events where tenant_id = $tenant',
      `update wm.ledger_heads set seq = 0, hash = decode(repeat('00', 32), 'hex') where tenant_id = $tenant`,
    )
    await createSequencer(server.manager.tools.system, nullMetrics).sweep()
    expect(await verify()).toMatchObject({ ok: true, entries: 8 })
    expect(await verify(noted)).toMatchObject({ ok: false, seq: 8, damage: 'rewritten' })
  })

  it('cut off together with its head is found the same way', async () => {
    const noted = (await exportAll(tenant.caller, 1000)).head!
    await tamper(
      'delete from wm.events where tenant_id = $tenant and seq > 5',
      'update wm.ledger_heads h set (seq, hash) = (select e.seq, e.hash from wm.events e where e.tenant_id = h.tenant_id and e.seq = 5) where h.tenant_id = $tenant',
    )
    expect(await verify()).toMatchObject({ ok: true, entries: 5 })
    expect(await verify(noted)).toMatchObject({ ok: false, seq: 6, damage: 'tail_missing' })
  })
})

// The hashes were made by another program (hashlib of Python), member by member as the formats name them.
describe('the hash is made as the format says: known bytes give a known hash', () => {
  const tenantId = '00000000-0000-4000-8000-00000000000a'
  const event = {
    id: '00000000-0000-4000-8000-000000000001',
    kind: 'order.proposed',
    decided_at: '2026-01-02T03:04:05.000006Z',
    actor_type: 'agent',
    actor_id: 'ä',
    principal: 'agent:ä',
    payload: '{"a":1}',
    diff: null,
    message: null,
  }

  it('version 1, from before migration 7', () => {
    const old = 'efa3afca8b0e8b47d23099e429b74648fd03b5dfbc7bf8637c2ea57c87a956df'
    expect(ledgerHash(tenantId, '0'.repeat(64), { seq: 1, event: { ...event, order_id: null, item_id: null } })).toBe(old)
    expect(
      ledgerHash(tenantId, '0'.repeat(64), {
        seq: 1,
        hash_version: 1,
        event: { ...event, subject_type: 'order', subject_id: null, root_id: null },
      }),
    ).toBe(old)
  })

  it('version 2', () => {
    const full = {
      ...event,
      subject_type: 'order',
      subject_id: '00000000-0000-4000-8000-000000000002',
      root_id: '00000000-0000-4000-8000-000000000002',
      label: 'test.echo',
      request_id: 'req-1',
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
      provenance_id: '00000000-0000-4000-8000-000000000003',
      correlation_id: 'story-0001',
      causation_id: '00000000-0000-4000-8000-000000000004',
      session_key: 'sitzung-ü',
      priority: 1,
      reason: 'transient',
      seconds: '12.340',
    }
    expect(ledgerHash(tenantId, '0'.repeat(64), { seq: 1, hash_version: 2, event: full })).toBe(
      '6462e980bc41610f717a08a53dcac77ce022abd6f3f6280f7594692e158ba71d',
    )
  })
})
