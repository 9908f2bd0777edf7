/** What the database does for itself when it is asked: partitions of the months to come, statistics of young tables. */
import sql from 'sql-template-tag'
import type { SystemDb } from '../kernel/store/tx.ts'

/** Makes the monthly partitions of the record up to `monthsAhead`; says how many were missing. */
export async function ensureEventPartitions(system: SystemDb, monthsAhead: number): Promise<number> {
  const [row] = await system.query<{ made: number }>(
    sql`select wm.ensure_event_partitions(${monthsAhead}) as made`,
    'ensure_event_partitions',
  )
  return row!.made
}

/** Counts the young tables that have grown; says how many. */
export async function refreshStatistics(system: SystemDb): Promise<number> {
  const [row] = await system.query<{ done: number }>(sql`select wm.refresh_statistics() as done`, 'refresh_statistics')
  return row!.done
}
