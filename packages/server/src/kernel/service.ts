/**
 * The one shape of every background service: validate at construction, `start`, `stop`, and `runOnce`, which tests and
 * `work-manager maintain` call. Any number of processes may run them: each takes its work under locks, none needs a leader.
 */
import type { Logger } from 'pino'
import type { WorkSignal } from './signals/work-signal.ts'

export interface ServiceDefinition {
  readonly name: string
  /** Longest pause between two runs: polling is enough, signals only make it sooner. */
  readonly everyMs: number
  /** What else it goes by, in numbers: none may be negative or no number. */
  readonly settings?: Readonly<Record<string, number>>
  /** Topics whose wake-up starts a run at once. */
  readonly wakeOn?: readonly string[]
  /** Does what is due and returns how much it did; a full batch (`more`) is followed by another run at once. */
  run(): Promise<{ readonly done: number; readonly more: boolean }>
  /** Called when the service is stopped, while a run may be under way: cut waiting short, let go of connections. */
  stop?(): Promise<void>
}

export interface BackgroundService {
  readonly name: string
  /** One pass, by hand; returns how much it did. */
  runOnce(): Promise<number>
  start(): void
  /** Lets the run that is under way end. */
  stop(): Promise<void>
}

/** Handles candidates one by one and counts those that were handled; one that cannot be handled is left for the next run and stops nobody else. */
export async function sweep<T>(
  candidates: readonly T[],
  tools: { readonly log: Logger },
  handle: (candidate: T) => Promise<boolean>,
): Promise<number> {
  let done = 0
  for (const candidate of candidates) {
    try {
      if (await handle(candidate)) done++
    } catch (error) {
      tools.log.error({ err: error, candidate }, 'background work could not be done; it will be tried again')
    }
  }
  return done
}

const longestFailurePauseMs = 10_000

/** Refuses with: TypeError. A service that could never do its work is a fault of whoever wires it, and must not wait to be noticed. */
function assertFit({ name, everyMs, settings = {}, wakeOn = [] }: ServiceDefinition): void {
  if (!/^[a-z]+(-[a-z0-9]+)*$/.test(name)) throw new TypeError(`'${name}' is no name of a service: small letters, words joined by -`)
  if (!Number.isFinite(everyMs) || everyMs < 1) throw new TypeError(`${name}: everyMs must be at least 1`)
  for (const [setting, value] of Object.entries(settings))
    if (!Number.isFinite(value) || value < 0) throw new TypeError(`${name}: ${setting} must be a number from 0; it is ${value}`)
  if (wakeOn.some((topic) => topic === '')) throw new TypeError(`${name}: a topic of wakeOn has no name`)
}

export function createService(
  definition: ServiceDefinition,
  tools: { readonly signal: WorkSignal; readonly log: Logger },
): BackgroundService {
  assertFit(definition)
  let running: Promise<void> | null = null
  let stopped = true
  let woken = false
  let wakeUp: (() => void) | null = null
  let offs: Array<() => void> = []

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      if (woken || stopped) return resolve()
      const timer = setTimeout(() => wakeUp?.(), ms)
      wakeUp = () => {
        clearTimeout(timer)
        wakeUp = null
        resolve()
      }
    })

  async function loop(): Promise<void> {
    let failures = 0
    // A function, because `stop` changes the answer while a run is under way.
    const isStopped = () => stopped
    while (!isStopped()) {
      woken = false
      try {
        const { more } = await definition.run()
        failures = 0
        if (!more) await pause(definition.everyMs)
      } catch (error) {
        failures++
        tools.log.error({ err: error, service: definition.name, failures }, 'background service failed; it will try again')
        woken = false
        await pause(Math.min(longestFailurePauseMs, definition.everyMs + 100 * 2 ** Math.min(failures, 7)))
      }
    }
  }

  return {
    name: definition.name,
    async runOnce() {
      let total = 0
      for (;;) {
        const { done, more } = await definition.run()
        total += done
        if (!more) return total
      }
    },
    start() {
      if (!stopped) return
      stopped = false
      offs = (definition.wakeOn ?? []).map((topic) =>
        tools.signal.on(topic, () => {
          woken = true
          wakeUp?.()
        }),
      )
      running = loop()
    },
    async stop() {
      stopped = true
      for (const off of offs) off()
      offs = []
      wakeUp?.()
      await Promise.all([running, definition.stop?.()])
      running = null
    },
  }
}
