/** Gives items whose lease ran out back to the queue, or sets them aside when their attempts are used up. */
import type { Services } from '../operations/services.ts'
import { reclaimLease } from '../operations/upkeep/reclaim-lease.ts'
import { topics } from '../signals/work-signal.ts'
import { systemActor } from '../store/events.ts'
import { findExpiredLeases } from '../store/items.ts'
import { type ServiceDefinition, sweep } from './service.ts'

const batch = 100
const actor = systemActor('lease-reclaimer')

export function leaseReclaimer(services: Services, everyMs: number): ServiceDefinition {
  const { system, signal } = services
  return {
    name: 'lease-reclaimer',
    everyMs,
    async run() {
      const expired = await findExpiredLeases(system, batch)
      const done = await sweep(expired, services, async (lease) => {
        const reclaimed = await reclaimLease(services, lease, actor)
        if (reclaimed) signal.wake(topics.ready(lease.tenant_id))
        return reclaimed
      })
      if (done > 0) {
        signal.wake(topics.facts)
        signal.wake(topics.failed)
      }
      return { done, more: done === batch }
    },
  }
}
