/** What a search of the record reads: not more than it gives. */
import sql, { type Sql } from 'sql-template-tag'
import { uuidv7 } from 'uuidv7'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'
import { type Database, openDatabase } from '../kernel/store/database.ts'
import { type EventFilter, listEvents } from '../kernel/store/events.ts'
import type { Queryable } from '../kernel/store/tx.ts'

const tenant = uuidv7()
let test: TestDatabase
let db: Database
beforeAll(async () => {
  test = await createTestDatabase()
  db = openDatabase({ url: test.runtimeUrl, maxConnections: 6, onError: () => {} })
  await test.sql('insert into wm.tenants (id, slug, name) values ($1, $2, $2)', [tenant, 'searched'])
  // 4,000 stories of five events, two of each of rare kinds.
  await test.sql(`
    insert into wm.events (tenant_id, seq, id, subject_type, subject_id, root_id, kind, priority, correlation_id, decided_at, sequenced_at, hash_version, hash)
    select '${tenant}', o.n * 5 + k.n, gen_random_uuid(), split_part(k.kind, '.', 1), o.id, o.id, k.kind, 2, 'story-' || o.n, now(), now(), 2, 'x'
      from (select n, gen_random_uuid() as id from generate_series(0, 3999) n) o
     cross join unnest('{order.proposed,order.checked_out,item.leased,item.submitted,order.approved}'::text[]) with ordinality as k(kind, n)`)
  await test.sql('analyze wm.events')
})
afterAll(async () => {
  await db.close()
  await test.drop()
})

it('of a story finds all its events, and reads no others', async () => {
  const filter: EventFilter = { correlationId: 'story-77' }
  let said: Sql | undefined
  const plan = await db.app.read(tenant, async (q) => {
    const listening: Queryable = { ...q, query: (statement: Sql, name?: string) => q.query((said = statement), name) }
    expect((await listEvents(listening, filter, 51)).map(({ seq }) => seq)).toEqual(['390', '389', '388', '387', '386'])
    return q.query<Record<string, string>>(sql`explain (analyze, costs off, timing off) ${said!}`)
  })
  const text = plan.map((row) => Object.values(row)[0]).join('\n')
  expect(text).toContain('Index')
  expect(text, text).not.toContain('Rows Removed by Filter')
})
