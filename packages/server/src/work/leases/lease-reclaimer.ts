/** Gives items whose lease ran out back to the queue, or sets them aside when their attempts are used up. */
import type { WorkTools } from '../tools.ts'
import { reclaimLease } from './reclaim-lease.ts'
import { topics } from '../topics.ts'
import { systemActor } from '../../kernel/store/events.ts'
import { findExpiredLeases } from '../items/store.ts'
import { type ServiceDefinition, sweep } from '../../kernel/service.ts'

const batch = 100
const actor = systemActor('lease-reclaimer')

export function leaseReclaimer(tools: WorkTools, everyMs: number): ServiceDefinition {
  const { system, signal } = tools
  return {
    name: 'lease-reclaimer',
    everyMs,
    async run(round) {
      const expired = await findExpiredLeases(system, batch)
      const done = await sweep(expired, { log: tools.log, round }, async (lease) => {
        const reclaimed = await reclaimLease(tools, lease, actor)
        if (reclaimed) signal.wake(topics.ready(lease.tenant_id))
        return reclaimed
      })
      if (done > 0) {
        signal.wake(topics.events)
        signal.wake(topics.failed)
      }
      return { done, more: done === batch }
    },
  }
}
