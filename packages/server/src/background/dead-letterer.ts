/** Files what failed for good: the item with its case file, and with it the order, unless its type goes on without the item. */
import type { Services } from '../operations/services.ts'
import { fileDeadLetter } from '../operations/upkeep/file-dead-letter.ts'
import { topics } from '../signals/work-signal.ts'
import { systemActor } from '../store/events.ts'
import { findFinalFailures } from '../store/items.ts'
import { type ServiceDefinition, sweep } from './service.ts'

const batch = 100
const actor = systemActor('dead-letterer')

export function deadLetterer(services: Services, afterHours: number): ServiceDefinition {
  const { system, signal } = services
  return {
    name: 'dead-letterer',
    everyMs: 1000,
    wakeOn: [topics.failed],
    async run() {
      const failures = await findFinalFailures(system, afterHours, batch)
      const done = await sweep(failures, services, (item) => fileDeadLetter(services, item, actor))
      if (done > 0) {
        signal.wake(topics.facts)
        signal.wake(topics.submitted)
      }
      return { done, more: done === batch }
    },
  }
}
