/** Forgets what people were shown long ago. */
import type { ServiceDefinition } from '../../kernel/service.ts'
import type { KernelTools } from '../../kernel/tools.ts'
import { deleteOldShown } from './shown-orders.store.ts'

const batch = 1000
/** Who decides on something seen a quarter of a year ago looks again. */
const keptDays = 90

export const shownOrderPruner = ({ system }: KernelTools): ServiceDefinition => ({
  name: 'shown-order-pruner',
  everyMs: 3_600_000,
  async run() {
    const done = await deleteOldShown(system, keptDays, batch)
    return { done, more: done === batch }
  },
})
