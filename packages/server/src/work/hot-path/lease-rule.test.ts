/** The lease rule stands in two places: `wm.holds_lease` guards the hot path, `holdsLease` everything else. One verdict in every case. */
import { itemStates } from '@work-manager/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { holdsLease, type LeaseClaim, type LeaseSeen } from '../leases/decide.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const token = (generation: number) => `wl.1.${generation}.${'A'.repeat(22)}`
const expiresAt = '2026-01-02T03:04:05.000006Z'
const instants = ['2026-01-02T03:04:05.000005Z', expiresAt, '2026-01-02T03:04:05.000007Z', '2026-01-02T03:04:06.000000Z']

const cases = itemStates.flatMap((state) => {
  // Held items bear a lease; the others never do (a constraint of the table), so their columns are null.
  const held = state === 'leased' || state === 'in_progress'
  return [true, false].flatMap((requiresToken) =>
    (held ? instants : instants.slice(0, 1)).flatMap((decidedAt) =>
      [token(2), token(1), 'abc', '', null].flatMap((claimed) =>
        ['robin', 'sam'].flatMap((agentId) =>
          ['agent:robin', 'agent:sam'].map((principal) => {
            const seen: LeaseSeen = held
              ? { state, token: token(2), agentId: 'robin', principal: 'agent:robin', requiresToken, expiresAt, decidedAt }
              : { state, token: null, agentId: null, principal: null, requiresToken, expiresAt: null, decidedAt }
            const claim: LeaseClaim = { token: claimed, agentId, principal }
            return { seen, claim }
          }),
        ),
      ),
    ),
  )
})

it(`SQL and TypeScript agree in all ${cases.length} cases`, async () => {
  const rows = await database.sql<{ held: boolean }>(
    `select coalesce(wm.holds_lease(json_populate_record(null::wm.items, c.item), c.token, c.agent, c.who, c.at), false) as held
       from json_to_recordset($1::json) as c(n integer, item json, token text, agent text, who text, at timestamptz) order by n`,
    [
      JSON.stringify(
        cases.map(({ seen, claim }, n) => ({
          n,
          item: {
            state: seen.state,
            lease_token: seen.token,
            leased_by_agent_id: seen.agentId,
            leased_by_principal: seen.principal,
            require_token: seen.requiresToken,
            lease_expires_at: seen.expiresAt,
          },
          token: claim.token,
          agent: claim.agentId,
          who: claim.principal,
          at: seen.decidedAt,
        })),
      ),
    ],
  )
  expect(rows).toHaveLength(cases.length)
  const verdicts = cases.map(({ seen, claim }, n) => ({ seen, claim, sql: rows[n]!.held, typescript: holdsLease(seen, claim) }))
  expect(verdicts.filter((one) => one.sql !== one.typescript)).toEqual([])
  // The table is worth something only if it holds both verdicts.
  expect(verdicts.filter((one) => one.sql).length).toBeGreaterThan(5)
  expect(verdicts.filter((one) => !one.sql).length).toBeGreaterThan(100)
})
