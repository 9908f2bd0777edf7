/** The one thing that needs a process: stopping an agent when its process is asked to stop. Node, Deno and Bun. */
import process from 'node:process'

type StopName = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGBREAK'

/**
 * A signal that is aborted by the first SIGTERM or SIGINT, for `runAgent({ signal: stopSignal() })`. A second one ends the process at
 * once, as it would have without this.
 */
export function stopSignal(names: readonly StopName[] = ['SIGTERM', 'SIGINT']): AbortSignal {
  const stopping = new AbortController()
  const stop = (name: string): void => {
    for (const each of names) process.off(each, stop)
    stopping.abort(new Error(`stopped by ${name}`))
  }
  for (const name of names) process.on(name, stop)
  return stopping.signal
}
