/** What failed for good: its order fails at once, unless its type goes on without the item; both are filed when they have rested. */
import type { WorkTools } from '../tools.ts'
import { fileDeadLetter } from './file-dead-letter.ts'
import { topics } from '../topics.ts'
import { systemActor } from '../../kernel/store/events.ts'
import { findFinalFailures } from './store.ts'
import { type ServiceDefinition, sweep } from '../../kernel/service.ts'

const batch = 100
const actor = systemActor('dead-letterer')

export function deadLetterer(tools: WorkTools, afterHours: number): ServiceDefinition {
  const { system, signal } = tools
  return {
    name: 'dead-letterer',
    everyMs: 1000,
    settings: { afterHours },
    wakeOn: [topics.failed],
    async run(round) {
      const failures = await findFinalFailures(system, afterHours, batch)
      const done = await sweep(failures, { log: tools.log, round }, (item) => fileDeadLetter(tools, item, actor, afterHours))
      if (done > 0) {
        signal.wake(topics.events)
        signal.wake(topics.submitted)
      }
      return { done, more: done === batch }
    },
  }
}
