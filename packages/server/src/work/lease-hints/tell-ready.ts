/** A signal that also tells somebody else, outside this process, that a tenant's items became ready. */
import type { WorkSignal } from '../../kernel/signals/work-signal.ts'
import { topics } from '../topics.ts'

const prefix = topics.ready('')

/** `tell` is called before the waiters of this process are woken, so that what they then ask for knows of the wake-up. */
export function tellReady(signal: WorkSignal, tell: (tenantId: string) => void): WorkSignal {
  return {
    ...signal,
    wake(topic) {
      if (topic.startsWith(prefix)) tell(topic.slice(prefix.length))
      signal.wake(topic)
    },
  }
}
