/**
 * Wake-ups that also reach sibling processes. Topics go out as hints, gathered for a few milliseconds, so that a busy process sends some
 * hundred messages a second at most; whoever misses one polls.
 */
import { createWorkSignal, isOwnProcess, type WorkSignal } from './work-signal.ts'

const gatherMs = 5
/** A burst that names more topics than this is not worth telling: the waiters look by themselves within half a second. */
const mostTopics = 1000

export interface SharedSignal {
  readonly signal: WorkSignal
  /** Wakes who waits in this process, and passes nothing on. */
  hear(topics: readonly string[]): void
}

/** `pass` takes topics to the siblings; it may lose them. */
export function createSharedSignal(pass: (topics: readonly string[]) => void): SharedSignal {
  const local = createWorkSignal()
  const gathered = new Set<string>()
  const send = () => {
    const all = [...gathered]
    gathered.clear()
    pass(all)
  }
  return {
    signal: {
      on: local.on,
      wait: local.wait,
      wake(topic) {
        local.wake(topic)
        if (isOwnProcess(topic) || gathered.size >= mostTopics) return
        if (gathered.size === 0) setTimeout(send, gatherMs).unref()
        gathered.add(topic)
      },
    },
    hear(heard) {
      for (const topic of heard) local.wake(topic)
    },
  }
}
