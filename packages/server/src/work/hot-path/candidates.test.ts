/** The named pieces of wm.lease_items cost nothing: the planner writes them into the statement that asks. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const tenant = `'01890a5d-ac96-774b-bcce-b302099a8057'::uuid`
it.each([
  ['hinted_candidates', `${tenant}, array[${tenant}], null, null, 0, 10, array['agent:a']`],
  ['candidates_of_order', `${tenant}, ${tenant}, 10, array['agent:a']`],
  ['candidates_of_queue', `${tenant}, 0, 10, array['agent:a']`],
  ['candidates_of_types', `${tenant}, array['a', 'b'], array[1, 2], 0, 10, array['agent:a']`],
  ['candidates_within', `${tenant}, array['a', 'b'], array[1, 2], 0, 10, 10, array['agent:a']`],
  ['candidates_past', `${tenant}, array['a', 'b'], array[1, 2], 0, array[${tenant}], 10, array['agent:a']`],
  ['within_agent_limit', `${tenant}, 3, array['a'], array['agent:a'], array[1]`],
  ['within_principal_limit', `${tenant}, 3, array['agent:a'], array[1]`],
])('wm.%s is inlined', async (name, values) => {
  const plan = (await database.sql<Record<string, string>>(`explain (verbose) select * from wm.${name}(${values})`))
    .map((row) => Object.values(row)[0])
    .join('\n')
  expect(plan).toContain('wm.items')
  expect(plan).not.toContain(`Function Scan on wm.${name}`)
})
