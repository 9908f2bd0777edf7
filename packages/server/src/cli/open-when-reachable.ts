/** A server often starts beside its database, and before it: an unreachable one is asked again for half a minute. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CliError } from './cli-error.ts'
import { explain } from './explain.ts'

const patienceMs = 30_000
const pauseMs = 1000

/** Causes that pass by themselves; a wrong password does not. */
const passing = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', '57P03', '53300'])

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
      if (!isPassing(failure) || performance.now() > until) throw failure
      if (!said) say(`${failure.message} Trying again for ${patienceMs / 1000} s.`)
      said = true
      await sleep(pauseMs, undefined, { signal })
    }
  }
}

function isPassing(failure: CliError): boolean {
  const cause = failure.cause as { code?: string; errors?: { code?: string }[] } | undefined
  return failure.code === 'database_unavailable' && passing.has(cause?.errors?.[0]?.code ?? cause?.code ?? '')
}
