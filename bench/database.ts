/** The PostgreSQL of a run: an embedded one in a new directory with every default of the product, or the one that DATABASE_URL names. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { startEmbeddedPostgres } from '../packages/server/src/embedded/index.ts'
import { migrate } from '../packages/server/src/kernel/store/migrate.ts'
import { onDatabase } from '../packages/server/testing/database-url.ts'

export interface DatabaseUrls {
  readonly adminUrl: string
  readonly runtimeUrl: string
}

export interface BenchDatabase {
  readonly version: string
  /** A database that is always there. */
  readonly adminUrl: string
  /** Where the server logs; null when it is somebody else's. */
  readonly logFile: string | null
  /** An empty database beside the others on the same server; dropped first when an earlier run left it. */
  create(name: string): Promise<DatabaseUrls>
  /** The same with our schema. */
  createMigrated(name: string): Promise<DatabaseUrls>
  stop(): Promise<void>
}

export async function withAdmin<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

async function provide(): Promise<DatabaseUrls & { logFile: string | null; stop(): Promise<void> }> {
  const { DATABASE_URL: runtimeUrl, DATABASE_ADMIN_URL: adminUrl } = process.env
  if (runtimeUrl) return { runtimeUrl, adminUrl: adminUrl ?? runtimeUrl, logFile: null, stop: async () => {} }
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-bench-'))
  const embedded = await startEmbeddedPostgres({ directory: path.join(directory, 'data') })
  return {
    adminUrl: embedded.adminUrl,
    runtimeUrl: embedded.runtimeUrl,
    logFile: path.join(directory, 'data', 'postgres.log'),
    async stop() {
      await embedded.stop('immediate')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export async function openBenchDatabase(): Promise<BenchDatabase> {
  const { adminUrl, runtimeUrl, logFile, stop } = await provide()
  const { version } = await withAdmin(
    adminUrl,
    async (client) => (await client.query<{ version: string }>(`select current_setting('server_version') as version`)).rows[0]!,
  )
  const create = async (name: string): Promise<DatabaseUrls> => {
    await withAdmin(adminUrl, async (client) => {
      await client.query(`drop database if exists ${name} with (force)`)
      await client.query(`create database ${name}`)
    })
    return { adminUrl: onDatabase(adminUrl, name), runtimeUrl: onDatabase(runtimeUrl, name) }
  }
  return {
    version,
    adminUrl,
    logFile,
    create,
    async createMigrated(name) {
      const urls = await create(name)
      await migrate(urls)
      return urls
    },
    stop,
  }
}
