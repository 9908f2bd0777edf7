/** Deletes idempotency keys whose time is over. */
import type { KernelTools } from '../kernel/tools.ts'
import { deleteExpiredAnswers } from '../kernel/store/idempotency.ts'
import type { ServiceDefinition } from '../kernel/service.ts'

const batch = 1000

export const idempotencyPruner = ({ system }: KernelTools): ServiceDefinition => ({
  name: 'idempotency-pruner',
  everyMs: 60_000,
  async run() {
    const done = await deleteExpiredAnswers(system, batch)
    return { done, more: done === batch }
  },
})
