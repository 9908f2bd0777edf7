// What must stand inside the cluster before migrations can run: the database and the login role that serves. Tables and grants are
// the migrations' business. Also asks the running server whether it keeps the promises durability rests on.

import pg from 'pg'
import { type Credentials, DATABASE, OWNER_ROLE, RUNTIME_ROLE } from './credentials.ts'
import { type Endpoint, REQUIRED_SETTINGS } from './settings.ts'
import { EmbeddedStartError } from './start-error.ts'

/** PG* of the shell is meant for other servers; the driver takes each from there that the connection string leaves open. */
const nothingOfTheShell = 'sslmode=disable&sslnegotiation=postgres&replication=false&options=-ctimezone%3DUTC'

/** A connection string as `pg` reads it: a directory in `host` means a Unix socket. */
export function connectionUrl(role: string, password: string, database: string, endpoint: Endpoint): string {
  if (endpoint.socketDirectory === undefined)
    return `postgres://${role}:${password}@127.0.0.1:${endpoint.port}/${database}?${nothingOfTheShell}`
  return `postgres://${role}:${password}@/${database}?host=${encodeURIComponent(endpoint.socketDirectory)}&port=${endpoint.port}&${nothingOfTheShell}`
}

/** Makes the database and the runtime role if they are missing, and sets the role's password. Doing it twice changes nothing. */
export async function ensureDatabase(credentials: Credentials, endpoint: Endpoint): Promise<void> {
  await withClient(connectionUrl(OWNER_ROLE, credentials.owner, 'postgres', endpoint), async (client) => {
    const databases = await client.query('select 1 from pg_database where datname = $1', [DATABASE])
    if (databases.rowCount === 0) await client.query(`create database ${DATABASE} owner ${OWNER_ROLE}`)
    const roles = await client.query('select 1 from pg_roles where rolname = $1', [RUNTIME_ROLE])
    if (roles.rowCount === 0) await client.query(`create role ${RUNTIME_ROLE}`)
    await client.query(
      `alter role ${RUNTIME_ROLE} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls noinherit password '${credentials.runtime}'`,
    )
    await client.query(`revoke all on database ${DATABASE} from public`)
    await client.query(`grant connect on database ${DATABASE} to ${RUNTIME_ROLE}`)
  })
}

/**
 * Connects as the product will, and checks what it gets. False when `ensureDatabase` has something to put right: no database or
 * role, another password, too much power. Refuses with: unsafe_settings.
 */
export async function checkServer(credentials: Credentials, endpoint: Endpoint, clusterId: string): Promise<boolean> {
  try {
    return await withClient(connectionUrl(RUNTIME_ROLE, credentials.runtime, DATABASE, endpoint), async (client) => {
      const required = { ...REQUIRED_SETTINGS, cluster_name: `work-manager-${clusterId}` }
      const { rows } = await client.query<{ name: string; setting: string }>('select name, setting from pg_settings where name = any($1)', [
        Object.keys(required),
      ])
      const wrong = Object.entries(required).filter(([name, value]) => rows.find((row) => row.name === name)?.setting !== value)
      if (wrong.length > 0)
        throw unsafe(wrong.map(([name, value]) => `${name} is ${rows.find((row) => row.name === name)?.setting}, not ${value}`).join('; '))
      const role = await client.query<{ powerful: boolean }>(
        'select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb as powerful from pg_roles where rolname = current_user',
      )
      return role.rows[0]?.powerful === false
    })
  } catch (error) {
    if (isPgCode(error, ['28P01', '28000', '3D000', '42501'])) return false
    throw error
  }
}

/** True for PostgreSQL's "password authentication failed". */
export function isWrongPassword(error: unknown): boolean {
  return isPgCode(error, ['28P01', '28000'])
}

async function withClient<T>(connectionString: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000, options: '-c timezone=UTC' })
  client.on('error', () => {}) // a server that dies meanwhile also fails the query, which is where it is reported
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

function isPgCode(error: unknown, codes: readonly string[]): boolean {
  return codes.includes(String((error as { code?: unknown } | undefined)?.code))
}

function unsafe(what: string): EmbeddedStartError {
  return new EmbeddedStartError(
    'unsafe_settings',
    `The database runs, but not safely: ${what}.`,
    `Undo it (look for ALTER SYSTEM, ALTER ROLE or ALTER DATABASE … SET in the cluster) and start again.`,
  )
}
