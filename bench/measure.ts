/** Runs cycles on some clients at once and keeps how long each call took. */

export const verbs = ['checkout', 'heartbeat', 'submit'] as const
export type Verb = (typeof verbs)[number]

/** One agent: every call goes through `timed`, which keeps its time. */
export interface Client {
  cycle(timed: <T>(verb: Verb, call: () => Promise<T>) => Promise<T>): Promise<void>
  close(): Promise<void> | void
}

export interface Latency {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}
export interface Measured {
  readonly clients: number
  readonly cycles: number
  readonly seconds: number
  readonly cyclesPerSecond: number
  readonly latencyMs: Readonly<Record<Verb, Latency>>
  readonly errors: number
  /** The first few, as they were told. */
  readonly errorTexts: readonly string[]
}

function latencyOf(samples: Float64Array): Latency {
  samples.sort()
  const at = (share: number) => samples[Math.min(samples.length - 1, Math.ceil(samples.length * share) - 1)] ?? Number.NaN
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}

/** Runs `cycles` cycles in all; each client starts its next one when the last has ended (closed loop). */
export async function measure(clients: readonly Client[], cycles: number): Promise<Measured> {
  const samples = Object.fromEntries(verbs.map((verb) => [verb, { times: new Float64Array(cycles), count: 0 }])) as Record<
    Verb,
    { times: Float64Array; count: number }
  >
  const errorTexts: string[] = []
  let errors = 0
  let started = 0
  const timed = async <T>(verb: Verb, call: () => Promise<T>): Promise<T> => {
    const begin = performance.now()
    const answer = await call()
    const sample = samples[verb]
    sample.times[sample.count++] = performance.now() - begin
    return answer
  }
  const begin = performance.now()
  await Promise.all(
    clients.map(async (client) => {
      while (started < cycles) {
        started++
        try {
          await client.cycle(timed)
        } catch (error) {
          errors++
          if (errorTexts.length < 3) errorTexts.push((error as Error).message)
        }
      }
    }),
  )
  const seconds = (performance.now() - begin) / 1000
  const done = cycles - errors
  return {
    clients: clients.length,
    cycles: done,
    seconds,
    cyclesPerSecond: done / seconds,
    latencyMs: Object.fromEntries(verbs.map((verb) => [verb, latencyOf(samples[verb].times.subarray(0, samples[verb].count))])) as Record<
      Verb,
      Latency
    >,
    errors,
    errorTexts,
  }
}
