/** Lists come out of an index in their order: with a sort in the plan every page would read all that matches. */
import pg from 'pg'
import type { Sql } from 'sql-template-tag'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { pageOrders } from './list-orders.store.ts'
import type { Queryable } from '../../kernel/store/tx.ts'
import { readFilters, readSort } from './order-query.ts'

let database: TestDatabase
let client: pg.Client
beforeAll(async () => {
  database = await createTestDatabase()
  client = new pg.Client({ connectionString: database.adminUrl })
  await client.connect()
  await client.query('set role wm_app')
})
afterAll(async () => {
  await client.end()
  await database.drop()
})

it.each([
  ['in the default order', undefined, {}],
  ['of one state', undefined, { state: 'submitted' }],
])('orders %s', async (_, sort, filters) => {
  const plans: string[] = []
  const explaining: Queryable = {
    async query<Row>(statement: Sql) {
      const { rows } = await client.query({ text: `explain (format json) ${statement.text}`, values: statement.values })
      plans.push(JSON.stringify(rows[0]['QUERY PLAN']))
      return [] as Row[]
    },
  }
  const page = { conditions: readFilters(filters), sort: readSort(sort), limit: 50, offset: 0, countItems: false, countEvents: false }
  await pageOrders(explaining, '01890a5d-ac96-774b-bcce-b302099a8057', page)
  expect(plans).toHaveLength(1)
  expect(plans[0]).toMatch(/"Node Type":"Index( Only)? Scan".*"Index Name":"orders_(list|state)_idx"/)
  expect(plans[0]).not.toContain('"Sort"')
})
