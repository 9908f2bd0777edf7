/** Lets the database count its young tables soon after they fill, so that the hot path never keeps a plan made for empty ones. */
import type { ServiceDefinition } from '../kernel/service.ts'
import type { KernelTools } from '../kernel/tools.ts'
import { refreshStatistics } from './store.ts'

export const statisticsKeeper = ({ system }: KernelTools): ServiceDefinition => ({
  name: 'statistics-keeper',
  everyMs: 500,
  run: async () => ({ done: await refreshStatistics(system), more: false }),
})
