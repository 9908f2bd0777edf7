/**
 * The record depends on no transaction id: restored into another cluster, or moved there tenant by tenant, it goes on where it stood. The two
 * clusters of this test count transactions far apart.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { dumpAndRestore, moveTenant } from '../../testing/move-rows.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded/index.ts'
import { type Database, openDatabase } from '../kernel/store/database.ts'
import { countEvents } from '../kernel/store/event-count.ts'
import { appendEvents, systemActor } from '../kernel/store/events.ts'
import { migrate } from '../kernel/store/migrate.ts'
import { nullMetrics } from '../metrics/metrics.ts'
import { createSequencer } from './sequencer.ts'
import { verifyLedger } from './verify.ts'

interface Cluster {
  readonly server: EmbeddedPostgres
  readonly owner: pg.Client
  readonly db: Database
}
let directory: string
let old: Cluster
let young: Cluster

async function openCluster(name: string): Promise<Cluster> {
  const server = await startEmbeddedPostgres({ directory: path.join(directory, name) })
  await migrate({ adminUrl: server.adminUrl, runtimeUrl: server.runtimeUrl })
  const owner = new pg.Client({ connectionString: server.adminUrl })
  owner.on('error', () => {})
  await owner.connect()
  return { server, owner, db: openDatabase({ url: server.runtimeUrl, maxConnections: 8, onError: () => {} }) }
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'work-manager-clusters-'))
  ;[old, young] = await Promise.all([openCluster('old'), openCluster('young')])
  await old.owner.query('do $$ begin for n in 1 .. 20000 loop perform pg_current_xact_id(); commit; end loop; end $$')
  const ids = await Promise.all(
    [old, young].map(async ({ owner }) => (await owner.query('select pg_current_xact_id()::text as id')).rows[0].id),
  )
  expect(Number(ids[0]) - Number(ids[1]), 'the clusters count transactions far apart').toBeGreaterThan(15_000)
}, 120_000)
afterAll(async () => {
  for (const { server, owner, db } of [old, young]) {
    await db.close()
    await owner.end()
    await server.stop('immediate')
  }
  await rm(directory, { recursive: true, force: true })
})

async function addTenant({ owner }: Cluster): Promise<string> {
  const id = uuidv7()
  await owner.query(`set role wm_system; insert into wm.tenants (id, slug, name) values ('${id}', 't-${id}', 'T'); reset role`)
  return id
}
const write = ({ db }: Cluster, tenant: string, count: number): Promise<void> =>
  db.app.transaction(tenant, async (tx) =>
    appendEvents(
      tx,
      systemActor('test'),
      await tx.clock(),
      Array.from({ length: count }, (_, n) => ({ kind: 'order.stale' as const, message: `Grüße, ${n}`, payload: { a: 1.5, n } })),
    ),
  )
const number = ({ db }: Cluster): Promise<number> => createSequencer(db.system, nullMetrics).sweep()
const counted = ({ db }: Cluster, tenant: string): Promise<string> => db.app.read(tenant, countEvents)

it('dumped and restored into a younger cluster, it is worked on, numbered to the last event, and verifies', async () => {
  const tenant = await addTenant(old)
  await write(old, tenant, 30)
  await number(old)
  // Committed before the dump, and not numbered in it.
  await write(old, tenant, 5)
  const before = await counted(old, tenant)
  await dumpAndRestore(old.owner, young.owner)
  expect(await counted(young, tenant), 'what is remembered by the number of events still holds').toBe(before)
  await write(young, tenant, 7)
  expect(await number(young)).toBe(12)
  expect((await young.owner.query('select count(*)::int as n from wm.intake')).rows).toEqual([{ n: 0 }])
  expect(await verifyLedger(young.db.system, tenant)).toMatchObject({ ok: true, entries: 42 })
})

it('a tenant moves to the other cluster and back, works in both, and its chain is one', async () => {
  const [tenant, staying] = [await addTenant(old), await addTenant(old)]
  for (const id of [tenant, staying]) await write(old, id, 10)
  await number(old)
  await moveTenant(old.owner, young.owner, tenant)
  await write(young, tenant, 10)
  await write(old, staying, 3)
  await Promise.all([number(old), number(young)])
  expect(await verifyLedger(young.db.system, tenant)).toMatchObject({ ok: true, entries: 20 })
  await moveTenant(young.owner, old.owner, tenant)
  await write(old, tenant, 10)
  await number(old)
  expect(await verifyLedger(old.db.system, tenant)).toMatchObject({ ok: true, entries: 30 })
  expect(await verifyLedger(old.db.system, staying)).toMatchObject({ ok: true, entries: 13 })
  expect(await verifyLedger(young.db.system, tenant)).toMatchObject({ ok: true, entries: 0 })
})
