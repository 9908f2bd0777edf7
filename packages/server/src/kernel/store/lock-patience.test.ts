/** Migrating while tables are in use: callers go through meanwhile, and whoever is in the way for too long is named. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { echoType } from '../../../testing/echo-type.ts'
import { closeGate, type RowGate } from '../../../testing/row-gate.ts'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { type Caller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import { LocksHeldError } from './lock-patience.ts'
import { migrate } from './migrate.ts'

let database: TestDatabase
let server: TestServer
let crm: Caller
let gate: RowGate
beforeEach(async () => {
  database = await createTestDatabase()
  server = await startTestServer({ types: [echoType], database })
  crm = await server.caller('service', 'crm')
  // What a new version brings: routines, and with them the triggers of tables that everybody writes to.
  await database.sql(`update public.work_manager_migrations set hash = 'of another version' where name = 'routines'`)
  // A long transaction that has written to the table: the trigger's lock waits for its end.
  gate = await closeGate(database, 'lock table wm.orders in row exclusive mode')
  await gate.sql(`set application_name = 'nightly report'`)
})
afterEach(async () => {
  await gate.open()
  await server.stop()
  await database.drop()
})

const propose = () => crm.post('/propose', { type: 'test.echo', payload: { messages: ['hi'] } })
/** The migrator stands in the queue of the table, and everybody who comes now stands behind it. */
const standsInTheQueue = () =>
  until(
    async () =>
      (
        await database.sql(
          `select from pg_locks l join pg_stat_activity a on a.pid = l.pid
            where not l.granted and l.relation = 'wm.orders'::regclass and a.application_name = 'work-manager migrate' and a.datname = $1`,
          [database.name],
        )
      ).length > 0,
    'it waits for the table',
  )

it('callers go through while it waits for a table, and it is done when the table is free', async () => {
  const said: string[] = []
  const migrated = migrate({ adminUrl: database.adminUrl, patienceMs: 600_000, say: (sentence) => said.push(sentence) })
  for (let n = 0; n < 4; n++) {
    await standsInTheQueue()
    // Behind a lock that waits, these would be told `busy`.
    const answers = await Promise.all([propose(), propose(), propose()])
    expect(answers.map(({ status, text }) => [status, status === 201 ? '' : text])).toEqual(answers.map(() => [201, '']))
  }
  await until(async () => said.length > 0, 'it says who is in the way')
  expect(said).toEqual([
    expect.stringMatching(/^wm\.orders is in use; .* pid \d+ \(nightly report, user \w+\): idle in transaction, for \d+ s\.$/),
  ])
  await gate.open()
  expect(await migrated).toEqual({ applied: [], routinesReplaced: true })
  expect((await propose()).status).toBe(201)
})

it('after its patience it names who is in the way, and has changed nothing', async () => {
  const [holder] = await gate.sql<{ pid: number }>('select pg_backend_pid() as pid')
  const error = await migrate({ adminUrl: database.adminUrl, patienceMs: 5000 }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(LocksHeldError)
  const { message, fix, blockers } = error as LocksHeldError
  expect(blockers).toEqual([
    { pid: holder!.pid, application: 'nightly report', state: 'idle in transaction', user: expect.any(String), age: expect.any(Number) },
  ])
  expect(message).toMatch(/^wm\.orders is in use, .* Nothing was changed\. In the way: pid \d+ \(nightly report, .*idle in transaction/)
  expect(fix).toContain(`pg_terminate_backend(${holder!.pid})`)
  expect(await database.sql(`select hash from public.work_manager_migrations where name = 'routines'`)).toEqual([
    { hash: 'of another version' },
  ])
  expect((await propose()).status).toBe(201)
  await gate.open()
  expect(await migrate({ adminUrl: database.adminUrl })).toEqual({ applied: [], routinesReplaced: true })
})
