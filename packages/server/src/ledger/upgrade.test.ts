/** A database from before migration 7, with a chain that its own code made: it is upgraded, goes on, and verifies by every reader. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { onDatabase } from '../../testing/database-url.ts'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'
import { type Database, openDatabase } from '../kernel/store/database.ts'
import { appendEvents, ofItem, systemActor } from '../kernel/store/events.ts'
import { migrate } from '../kernel/store/migrate.ts'
import { nullMetrics } from '../metrics/metrics.ts'
import { createSequencer } from './sequencer.ts'
import { findLedgerHead, renderLedger } from './store.ts'
import { type LedgerEntry, type LedgerExport, verifyExport, verifyLedger } from './verify.ts'

const [tenant, order, item] = [uuidv7(), uuidv7(), uuidv7()]
let server: TestDatabase
let owner: pg.Client
let db: Database
let oldHashes: string[]

/** As the version before wrote them; `xid` fills itself. */
const oldEvents = `
  insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, actor_id, principal, request_id, priority, payload, diff, message, decided_at) values
    ('${tenant}', '${order}', null, 'order.proposed', 'test.echo', 'agent', 'ä', 'agent:ä', 'req-1', 1, '{ "spaced" :  1.50 }', null, null, '2025-11-03T10:00:00.123456Z'),
    ('${tenant}', '${order}', '${item}', 'item.leased', 'test.echo', 'agent', 'ä', 'agent:ä', null, 2, '{"generation":1}', null, null, now()),
    ('${tenant}', '${order}', '${item}', 'item.submitted', 'test.echo', 'agent', 'ä', 'agent:ä', null, 1, null, null, 'Grüße, 世界 🚀: "quoted"', now()),
    ('${tenant}', '${order}', null, 'order.applied', 'test.echo', 'system', null, 'system:applier', null, 0, null, '{"before":{},"after":{"x":1}}', 'Changes applied', now()),
    ('${tenant}', '${order}', null, 'effect.delivered', 'test.echo', 'system', null, 'system:effects', null, 1, '{}', null, null, now()),
    ('${tenant}', null, null, 'key.created', null, 'user', 'rita', 'person:rita', null, 0, '{"key_id":"x"}', null, null, now()),
    ('${tenant}', '${order}', '${item}', 'publisher.message_discarded', null, 'user', 'rita', 'person:rita', null, 0, '{}', null, null, now())`
const unnumbered = `
  insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, principal, priority, payload, message, decided_at) values
    ('${tenant}', '${order}', '${item}', 'item.failed', 'test.echo', 'agent', 'agent:ä', 1, '{"error":{"class":"transient"}}', 'not numbered yet', now()),
    ('${tenant}', '${order}', null, 'order.stale', 'test.echo', 'system', null, 2, null, 'nor this', now())`

beforeAll(async () => {
  server = await createTestDatabase()
  const name = `${server.name}_old`
  await server.sql(`create database ${name}`)
  owner = new pg.Client({ connectionString: onDatabase(server.adminUrl, name) })
  await owner.connect()
  const migrations = new URL('../../migrations/', import.meta.url)
  await owner.query(
    'create table public.work_manager_migrations (name text primary key, hash text not null, applied_at timestamptz not null default now())',
  )
  for (const file of (await readdir(migrations)).filter((one) => /^00000[1-6]_.*\.sql$/.test(one)).toSorted()) {
    const text = await readFile(new URL(file, migrations), 'utf8')
    await owner.query(text)
    await owner.query('insert into public.work_manager_migrations (name, hash) values ($1, $2)', [
      file,
      createHash('sha256').update(text).digest('hex'),
    ])
  }
  await owner.query(await readFile(new URL('../../testing/before-record/sequencer.sql', import.meta.url), 'utf8'))
  await owner.query('select wm.ensure_event_partitions(2)')
  await owner.query(`insert into wm.tenants (id, slug, name) values ('${tenant}', 'old', 'Old')`)
  await owner.query(oldEvents)
  expect((await owner.query('select done from wm.sequence(500, true)')).rows).toEqual([{ done: 7 }])
  await owner.query(unnumbered)
  oldHashes = (await owner.query<{ hash: string }>(`select encode(hash, 'hex') as hash from wm.ledger order by seq`)).rows.map(
    (row) => row.hash,
  )

  await migrate({ adminUrl: onDatabase(server.adminUrl, name), runtimeUrl: onDatabase(server.runtimeUrl, name) })
  db = openDatabase({ url: onDatabase(server.runtimeUrl, name), maxConnections: 8, onError: () => {} })
})
afterAll(async () => {
  await db.close()
  await owner.end()
  await server.sql(`drop database ${server.name}_old with (force)`)
  await server.drop()
})

async function exported(): Promise<LedgerExport & { format: string; next_after: null }> {
  const head = (await findLedgerHead(db.system, tenant)) ?? null
  const rows = await renderLedger(db.system, tenant, { after: 0, through: head?.seq ?? 0, limit: 1000 })
  return { format: 'wm2', tenant_id: tenant, entries: rows.map(({ json }) => JSON.parse(json) as LedgerEntry), head, next_after: null }
}

it('keeps every number and hash, gives numbers to what had none, and goes on in the new format behind the last old hash', async () => {
  expect((await exported()).entries.map((entry) => [entry.seq, entry.hash_version, entry.hash])).toEqual(
    oldHashes.map((hash, n) => [n + 1, 1, hash]),
  )
  await db.app.transaction(tenant, async (tx) => {
    const about = { id: item, order_id: order, order_type: 'test.echo', correlation_id: 'story-0001', session_key: null }
    await appendEvents(tx, systemActor('test'), await tx.clock(), [{ kind: 'item.retried', ...ofItem(about), payload: { attempts: 1 } }])
  })
  expect(await createSequencer(db.system, nullMetrics).sweep()).toBe(3)
  const { entries } = await exported()
  expect(entries.slice(7).map(({ hash_version: version, event }) => [version, event!.kind, event!.message])).toEqual([
    [2, 'item.failed', 'not numbered yet'],
    [2, 'order.stale', 'nor this'],
    [2, 'item.retried', null],
  ])
  expect(entries[7]!.prev_hash).toBe(oldHashes.at(-1))
  expect(await verifyLedger(db.system, tenant)).toMatchObject({ ok: true, entries: 10 })
  expect(verifyExport(await exported())).toMatchObject({ ok: true, entries: 10 })
})

it('finds what somebody changes in an old event as in a new one', async () => {
  const whole = await exported()
  for (const [seq, change] of [
    [1, { payload: '{"spaced":1.5}' }],
    [2, { root_id: tenant }],
    [3, { subject_id: order }],
    [9, { label: 'another' }],
    // Not in the hash of version 1, and told by what is.
    [4, { subject_id: tenant }],
    [5, { subject_type: 'order' }],
    [5, { subject_type: 'item' }],
    [6, { subject_id: item }],
    [6, { correlation_id: 'story-0001' }],
    [1, { reason: 'fatal' }],
    [1, { seconds: '1.000' }],
  ] as const) {
    const edited = whole.entries.map((entry) => (entry.seq === seq ? { ...entry, event: { ...entry.event!, ...change } } : entry))
    expect(verifyExport({ ...whole, entries: edited }), JSON.stringify(change)).toMatchObject({ ok: false, seq, damage: 'content_changed' })
  }
})

it('is read by the verifier in Python, which shares no code with the server', async (context) => {
  const script = fileURLToPath(new URL('../../../../examples/verify-ledger.py', import.meta.url))
  const verify = (input: unknown): Promise<{ code: number | string; output: string }> =>
    new Promise((resolve) => {
      const child = execFile('python3', [script], (error, stdout, stderr) => resolve({ code: error?.code ?? 0, output: stdout + stderr }))
      child.stdin?.on('error', () => {})
      child.stdin?.end(JSON.stringify(input))
    })
  const whole = await exported()
  const verdict = await verify(whole)
  context.skip(verdict.code === 'ENOENT', 'there is no Python here')
  expect(verdict).toMatchObject({ code: 0, output: expect.stringContaining(`OK  tenant ${tenant}: 10 entries hold`) })
  // What an older server exported is read as well.
  const old = whole.entries.slice(0, 7).map(({ seq, prev_hash, hash, event }) => {
    const { subject_type: type, subject_id: subject, root_id: root, ...rest } = event!
    return { seq, prev_hash, hash, event: { ...rest, order_id: root, item_id: type === 'item' ? subject : null } }
  })
  const oldPage = { ...whole, format: 'wm1', entries: old, head: { seq: 7, hash: oldHashes.at(-1) } }
  expect(await verify(oldPage)).toMatchObject({ code: 0 })
  expect(verifyExport(oldPage as unknown as LedgerExport)).toMatchObject({ ok: true, entries: 7 })
  for (const [seq, change] of [
    [2, { kind: 'order.approved' }],
    [9, { kind: 'order.approved' }],
    [4, { subject_id: tenant }],
    [6, { correlation_id: 'story-0001' }],
  ] as const) {
    const edited = whole.entries.map((entry) => (entry.seq === seq ? { ...entry, event: { ...entry.event!, ...change } } : entry))
    expect(await verify({ ...whole, entries: edited })).toMatchObject({ code: 1, output: expect.stringContaining(`entry ${seq}:`) })
  }
})
