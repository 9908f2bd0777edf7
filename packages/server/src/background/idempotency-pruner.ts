/** Deletes idempotency keys whose time is over, and keeps the monthly partitions of the record ahead of the calendar. */
import sql from 'sql-template-tag'
import type { Services } from '../operations/services.ts'
import { deleteExpiredAnswers } from '../store/idempotency.ts'
import type { ServiceDefinition } from './service.ts'

const batch = 1000

export const idempotencyPruner = ({ system }: Services): ServiceDefinition => ({
  name: 'idempotency-pruner',
  everyMs: 60_000,
  async run() {
    const done = await deleteExpiredAnswers(system, batch)
    return { done, more: done === batch }
  },
})

export const partitionKeeper = ({ system }: Services): ServiceDefinition => ({
  name: 'partition-keeper',
  everyMs: 6 * 3_600_000,
  async run() {
    const [row] = await system.query<{ made: number }>(sql`select wm.ensure_event_partitions(2) as made`, 'ensure_event_partitions')
    return { done: row!.made, more: false }
  },
})
