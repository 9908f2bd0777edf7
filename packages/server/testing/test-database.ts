/** A database of one test file: a clone of the migrated template, some 50 ms. */
import pg from 'pg'
import { inject } from 'vitest'
import { onDatabase } from './database-url.ts'

export interface TestDatabase {
  readonly name: string
  /** The owner: sees nothing through row security, but may do anything to the schema. */
  readonly adminUrl: string
  readonly runtimeUrl: string
  /** Runs SQL as the superuser of the test server, past row security: for set-up and for looking. */
  sql<Row extends object = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>
  drop(): Promise<void>
}

let made = 0

export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `wm_test_${process.pid}_${++made}_${Date.now().toString(36)}`
  const server = new pg.Client({ connectionString: inject('adminUrl') })
  await server.connect()
  // Cloning refuses while somebody is connected to the template; the tests of other files clone it, too, one after the other.
  await server.query(`select pg_advisory_lock(4242)`)
  await server.query(`create database ${name} template ${inject('templateDatabase')}`)
  await server.query(`select pg_advisory_unlock(4242)`)
  const admin = new pg.Pool({ connectionString: onDatabase(inject('adminUrl'), name), max: 4, options: '-c timezone=UTC' })
  admin.on('error', () => {})
  return {
    name,
    adminUrl: onDatabase(inject('adminUrl'), name),
    runtimeUrl: onDatabase(inject('runtimeUrl'), name),
    async sql<Row extends object>(text: string, values: unknown[] = []) {
      return (await admin.query(text, values)).rows as Row[]
    },
    async drop() {
      await admin.end()
      await server.query(`drop database if exists ${name} with (force)`)
      await server.end()
    },
  }
}
