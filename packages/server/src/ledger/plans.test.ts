/** What is rare among many events is found by its index, and a page of what is common by walking back from the end. */
import { uuidv7 } from 'uuidv7'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'
import { type Database, openDatabase } from '../kernel/store/database.ts'
import { type EventFilter, findDiff, listEvents, listFailures, readCaseFile } from '../kernel/store/events.ts'
import type { Queryable } from '../kernel/store/tx.ts'

const tenant = uuidv7()
let test: TestDatabase
let db: Database
beforeAll(async () => {
  test = await createTestDatabase()
  db = openDatabase({ url: test.runtimeUrl, maxConnections: 6, onError: () => {} })
  // 40,000 events of the lease cycle and a rare one among them; as a restore would bring them.
  await test.sql(`
    begin; set local session_replication_role = replica;
    insert into wm.events (tenant_id, seq, id, subject_type, subject_id, root_id, kind, principal, priority, correlation_id, decided_at, sequenced_at, hash_version, hash)
    select '${tenant}', n, gen_random_uuid(), 'item', gen_random_uuid(), gen_random_uuid(),
           case when n % 10000 = 77 then 'order.cancelled' else (array['item.leased', 'item.in_progress', 'item.submitted'])[1 + n % 3] end,
           'agent:a', 2, 'story-' || n / 10, now(), now(), 2, sha256(n::text::bytea) from generate_series(1, 40000) n;
    commit`)
  await test.sql('analyze wm.events')
})
afterAll(async () => {
  await db.close()
  await test.drop()
})

/** Rows that the plan of the statement visits, and the indexes that it uses. */
async function visitsOf(ask: (q: Queryable) => Promise<unknown>): Promise<{ rows: number; indexes: string[] }> {
  const seen = { rows: 0, indexes: [] as string[] }
  const walk = (node: Record<string, any>): void => {
    if (node['Index Name']) seen.indexes.push(String(node['Index Name']))
    if (/Scan/.test(node['Node Type'])) seen.rows += (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']
    for (const child of node['Plans'] ?? []) walk(child)
  }
  await db.app.read(tenant, async (q) => {
    const explaining: Queryable = {
      async query<Row>(statement: Parameters<Queryable['query']>[0]): Promise<Row[]> {
        const text = statement.text
        const [row] = await q.query<Record<string, any>>({
          text: `explain (analyze, format json) ${text}`,
          values: statement.values,
        } as never)
        walk(row!['QUERY PLAN'][0].Plan)
        return []
      },
    }
    await ask(explaining)
  })
  return seen
}
const list = (filter: EventFilter) => visitsOf((q) => listEvents(q, filter, 51))

it('a rare kind, a story, the diff of an order and a case file are a few index entries', async () => {
  for (const [name, seen] of Object.entries({
    kind: await list({ kind: 'order.cancelled' }),
    unknown: await list({ kind: 'key.created' }),
    story: await list({ correlationId: 'story-7' }),
    order: await list({ rootId: uuidv7() }),
    diff: await visitsOf((q) => findDiff(q, uuidv7())),
    failures: await visitsOf((q) => listFailures(q, {}, 2000)),
    caseFile: await visitsOf((q) => readCaseFile(q, uuidv7())),
  }))
    expect(seen.rows, `${name}: ${seen.indexes.join(', ')}`).toBeLessThan(100)
})

it('the newest page, of all or of a common kind, is read from the end', async () => {
  expect((await list({})).rows).toBeLessThan(300)
  expect((await list({ kind: 'item.leased' })).rows).toBeLessThan(1000)
})
