/**
 * Wake-ups inside one process: "there is work on this topic". Hints only: every waiter also polls, so a lost signal costs
 * milliseconds, never correctness.
 */
export interface WorkSignal {
  /** Wakes everyone who waits on the topic now. */
  wake(topic: string): void
  /** Resolves true when woken, false after `ms` or when aborted. */
  wait(topic: string, ms: number, signal?: AbortSignal): Promise<boolean>
  /** Calls back on every wake of the topic; returns the function that stops it. */
  on(topic: string, listener: () => void): () => void
}

/** A topic that only background services wait for: every process has its own, woken by the process that made the work. */
export const ownProcess = (topic: string): string => `${ownPrefix}${topic}`
const ownPrefix = 'own:'
export const isOwnProcess = (topic: string): boolean => topic.startsWith(ownPrefix)

/** The kernel's; a system adds its own (work/topics.ts, ledger/topics.ts). */
export const topics = {
  /** Events were committed: the sequencer may act. */
  events: ownProcess('events'),
} as const

export function createWorkSignal(): WorkSignal {
  const listeners = new Map<string, Set<() => void>>()
  const on = (topic: string, listener: () => void): (() => void) => {
    const set = listeners.get(topic) ?? new Set()
    listeners.set(topic, set.add(listener))
    return () => {
      set.delete(listener)
      if (set.size === 0 && listeners.get(topic) === set) listeners.delete(topic)
    }
  }
  return {
    on,
    wake(topic) {
      for (const listener of [...(listeners.get(topic) ?? [])]) listener()
    },
    wait(topic, ms, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted) return resolve(false)
        const done = (woken: boolean) => {
          clearTimeout(timer)
          off()
          signal?.removeEventListener('abort', aborted)
          resolve(woken)
        }
        const aborted = () => done(false)
        const off = on(topic, () => done(true))
        const timer = setTimeout(() => done(false), ms)
        signal?.addEventListener('abort', aborted, { once: true })
      })
    },
  }
}
