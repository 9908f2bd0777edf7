/** The database as a whole: which cluster it is, whether it answers, how many connections it has to give. */
import sql from 'sql-template-tag'
import type { Queryable } from './tx.ts'

export interface Cluster {
  readonly id: string
  /** Part of every lease token; a restore raises it. */
  readonly epoch: number
}

export async function readCluster(system: Queryable): Promise<Cluster> {
  const [row] = await system.query<Cluster>(sql`select id, epoch from wm.cluster`, 'read_cluster')
  return row!
}

/** Made with the database; only the system role may read it. */
export async function readSecret(system: Queryable): Promise<Buffer> {
  const [row] = await system.query<{ secret: Buffer }>(sql`select secret from wm.cluster`, 'read_secret')
  return row!.secret
}

/** Resolves when the database answers; throws as any query does when it does not. */
export async function askDatabase(q: Queryable): Promise<void> {
  await q.query(sql`select 1`, 'ask_database')
}

/** How many connections roles without special rights may open, those in use included. */
export async function readConnectionLimit(system: Queryable): Promise<number> {
  const [row] = await system.query<{ free: number }>(
    sql`
    select (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true)::int, 0))::int as free`,
    'read_connection_limit',
  )
  return row!.free
}
