/** Starts an agent in a test and lets the test wait for what it reports, instead of for time to pass. */
import { runAgent, type AgentEvent, type AgentOptions, type AgentTotals } from '../src/index.ts'

type Kind = AgentEvent['kind']
export type EventOf<K extends Kind> = Extract<AgentEvent, { kind: K }>

export interface WatchedAgent {
  readonly events: readonly AgentEvent[]
  readonly done: Promise<AgentTotals>
  /** The nth event of this kind (from 1), as soon as it happens. */
  seen<K extends Kind>(kind: K, nth?: number): Promise<EventOf<K>>
  /** Stops it and waits for its end. */
  stop(): Promise<AgentTotals>
}

export function watchAgent<Input>(options: AgentOptions<Input>): WatchedAgent {
  const events: AgentEvent[] = []
  const waiting = new Set<() => void>()
  const stopping = new AbortController()
  const done = runAgent<Input>({
    waitSeconds: 1,
    ...options,
    signal: stopping.signal,
    onEvent(event) {
      events.push(event)
      for (const look of waiting) look()
    },
  })
  // A test that stops early has not looked at it yet.
  done.catch(() => {})
  return {
    events,
    done,
    seen<K extends Kind>(kind: K, nth = 1) {
      return new Promise<EventOf<K>>((resolve, reject) => {
        const look = (): void => {
          const event = events.filter((one): one is EventOf<K> => one.kind === kind)[nth - 1]
          if (event === undefined) return
          waiting.delete(look)
          resolve(event)
        }
        waiting.add(look)
        look()
        done.catch(reject)
      })
    },
    stop() {
      stopping.abort()
      return done
    },
  }
}
