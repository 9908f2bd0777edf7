/** Keeps the monthly partitions of the record ahead of the calendar. */
import type { ServiceDefinition } from '../kernel/service.ts'
import type { KernelTools } from '../kernel/tools.ts'
import { ensureEventPartitions } from './store.ts'

const monthsAhead = 2

export const partitionKeeper = ({ system }: KernelTools): ServiceDefinition => ({
  name: 'partition-keeper',
  everyMs: 6 * 3_600_000,
  run: async () => ({ done: await ensureEventPartitions(system, monthsAhead), more: false }),
})
