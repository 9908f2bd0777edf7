/** Lets the database count its young tables soon after they fill, so that the hot path never keeps a plan made for empty ones. */
import sql from 'sql-template-tag'
import type { Services } from '../operations/services.ts'
import type { ServiceDefinition } from './service.ts'

export const statisticsKeeper = ({ system }: Services): ServiceDefinition => ({
  name: 'statistics-keeper',
  everyMs: 500,
  async run() {
    const [row] = await system.query<{ done: number }>(sql`select wm.refresh_statistics() as done`, 'refresh_statistics')
    return { done: row!.done, more: false }
  },
})
