/** How many connections each worker may open, so that all of them together fit into what PostgreSQL gives. */
import { readConnectionLimit } from '../../kernel/store/cluster.ts'
import { fewestConnections } from '../../kernel/store/share-connections.ts'
import type { WorkManager } from '../../main.ts'
import { CliError } from '../cli-error.ts'

/** What the primary opens: it serves nothing, but it has every pool. */
export const primaryConnections = fewestConnections
/** Left for commands, backups and other people. */
const spareConnections = 6
const leastPerWorker = fewestConnections

/**
 * The share of one of `workers` processes, at most `wanted`.
 * Refuses with: too_many_workers (exit 3), which names how many would fit.
 */
export async function connectionShare(manager: WorkManager, workers: number, wanted: number): Promise<number> {
  const free = (await readConnectionLimit(manager.tools.system)) - primaryConnections - spareConnections
  const share = Math.min(wanted, Math.floor(free / workers))
  if (share >= leastPerWorker) return share
  throw new CliError(
    'configuration',
    'too_many_workers',
    `${workers} workers need at least ${workers * leastPerWorker} connections, but this PostgreSQL has ${Math.max(0, free)} to give.`,
    `Set server.workers (--workers) to ${Math.max(1, Math.floor(free / leastPerWorker))} or less, or raise max_connections of the database.`,
  )
}
