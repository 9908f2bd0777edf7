/**
 * The one shape of every background service: validate at construction, `start`, `stop`, and `runOnce`, which tests and
 * `work-manager maintain` call. Any number of processes may run them: each takes its work under locks, none needs a leader.
 */
import { WorkError } from '@work-manager/contract'
import type { Logger } from 'pino'
import type { WorkSignal } from './signals/work-signal.ts'
import { TookTooLong } from './time-limit.ts'

/** One run of a service, as the run sees it. */
export interface Round {
  /** Aborted when the service stops, and when a step took too long: what is left is left for a later run. */
  readonly signal: AbortSignal
  /** Says that a step is done. A round may be long; a step may not. */
  moved(): void
}

export interface ServiceDefinition {
  readonly name: string
  /** Longest pause between two runs: polling is enough, signals only make it sooner. */
  readonly everyMs: number
  /** What else it goes by, in numbers: none may be negative or no number. */
  readonly settings?: Readonly<Record<string, number>>
  /** Topics whose wake-up starts a run at once. */
  readonly wakeOn?: readonly string[]
  /** Longest step of a run, 90 s unless said otherwise. Past it the run is left to itself, and the next one begins. */
  readonly stepWithinMs?: number
  /** Does what is due and returns how much it did; a full batch (`more`) is followed by another run at once. */
  run(round: Round): Promise<{ readonly done: number; readonly more: boolean }>
  /** Called before the first run of a service that was started, not for single passes by hand. */
  start?(): void
  /** Called when the service is stopped, while a run may be under way: cut waiting short, let go of connections. */
  stop?(): Promise<void>
}

export interface BackgroundService {
  readonly name: string
  /** One pass, by hand; returns how much it did. */
  runOnce(): Promise<number>
  start(): void
  /** Lets the step that is under way end. */
  stop(): Promise<void>
  health(): ServiceHealth
}

/** `failing`: its runs end with errors. `stuck`: they do not even end. */
export interface ServiceHealth {
  readonly state: 'ok' | 'failing' | 'stuck'
  /** Since it last did its work; 0 while it is well. */
  readonly forMs: number
}

/**
 * Handles candidates one by one and counts those that were handled; one that cannot be handled is left for the next run and stops nobody
 * else. Refuses with: database_unavailable, when it is so for two in a row: it would be for each of the others.
 */
export async function sweep<T>(
  candidates: readonly T[],
  tools: { readonly log: Logger; readonly round?: Round },
  handle: (candidate: T) => Promise<boolean>,
): Promise<number> {
  let done = 0
  let wasGone = false
  for (const candidate of candidates) {
    if (tools.round?.signal.aborted) break
    try {
      if (await handle(candidate)) done++
      wasGone = false
    } catch (error) {
      const isGone = error instanceof WorkError && error.code === 'database_unavailable'
      if (isGone && wasGone) throw error
      wasGone = isGone
      tools.log.error({ err: error, candidate }, 'background work could not be done; it will be tried again')
    }
    tools.round?.moved()
  }
  return done
}

const usualStepMs = 90_000
const longestFailurePauseMs = 10_000

/** Refuses with: TypeError. A service that could never do its work is a fault of whoever wires it, and must not wait to be noticed. */
function assertFit({ name, everyMs, stepWithinMs = usualStepMs, settings = {}, wakeOn = [] }: ServiceDefinition): void {
  if (!/^[a-z]+(-[a-z0-9]+)*$/.test(name)) throw new TypeError(`'${name}' is no name of a service: small letters, words joined by -`)
  if (!Number.isFinite(everyMs) || everyMs < 1) throw new TypeError(`${name}: everyMs must be at least 1`)
  if (!Number.isFinite(stepWithinMs) || stepWithinMs < 1) throw new TypeError(`${name}: stepWithinMs must be at least 1`)
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
  const { name, stepWithinMs = usualStepMs } = definition
  const rounds = new Set<AbortController>()
  /** When the first of the runs began that have failed since the last good one. */
  let failingSince: number | null = null
  let isStuck = false

  /** One run, left to itself when a step of it takes too long: it holds nothing that its successor needs, as it may run in another process. */
  async function round(): Promise<{ readonly done: number; readonly more: boolean }> {
    const startedAt = performance.now()
    const abort = new AbortController()
    rounds.add(abort)
    const { promise: tooLong, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      const error = new TookTooLong(`a step of the service ${name}`, stepWithinMs)
      reject(error)
      abort.abort(error)
    }, stepWithinMs)
    try {
      const ran = await Promise.race([definition.run({ signal: abort.signal, moved: () => void timer.refresh() }), tooLong])
      failingSince = null
      isStuck = false
      return ran
    } catch (error) {
      failingSince ??= startedAt
      isStuck = error instanceof TookTooLong && abort.signal.reason === error
      throw error
    } finally {
      clearTimeout(timer)
      rounds.delete(abort)
    }
  }

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
        const { more } = await round()
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
        const { done, more } = await round()
        total += done
        if (!more) return total
      }
    },
    start() {
      if (!stopped) return
      stopped = false
      definition.start?.()
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
      for (const abort of rounds) abort.abort()
      await Promise.all([running, definition.stop?.()])
      running = null
    },
    health: () =>
      failingSince === null ? { state: 'ok', forMs: 0 } : { state: isStuck ? 'stuck' : 'failing', forMs: performance.now() - failingSince },
  }
}
