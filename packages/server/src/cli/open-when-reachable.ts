/** A server often starts beside its database, and before it: an unreachable one is asked again for half a minute. */
import { setTimeout as sleep } from 'node:timers/promises'
import { passesByItself } from './database-failure.ts'
import { explain } from './explain.ts'

const patienceMs = 30_000
const pauseMs = 1000

/**
 * Opens; while the database cannot be reached, says so once and tries again.
 * Refuses with: database_unavailable (exit 7) after 30 s, and at once with everything else.
 */
export async function openWhenReachable<T>(open: () => Promise<T>, say: (sentence: string) => void, signal: AbortSignal): Promise<T> {
  const until = performance.now() + patienceMs
  let said = false
  for (;;) {
    try {
      return await open()
    } catch (thrown) {
      const failure = explain(thrown)
      if (!passesByItself(failure) || performance.now() > until) throw failure
      if (!said) say(`${failure.message} Trying again for ${patienceMs / 1000} s.`)
      said = true
      await sleep(pauseMs, undefined, { signal })
    }
  }
}
