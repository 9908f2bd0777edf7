/** Runs steps on some clients at once, each starting its next one when the last has ended (closed loop), and keeps how long calls took. */

/** Every call goes through it and is counted under its name. */
export type Timed = <T>(call: string, run: () => Promise<T>) => Promise<T>

export interface Client {
  /** One unit of work: a cycle, a request, a job. */
  step(timed: Timed): Promise<void>
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
  readonly steps: number
  readonly seconds: number
  readonly perSecond: number
  readonly latencyMs: Readonly<Record<string, Latency>>
  readonly errors: number
  /** The first few, as they were told. */
  readonly errorTexts: readonly string[]
}

export interface Extent {
  readonly seconds: number
  /** Ends earlier after this many steps: there is no more work. */
  readonly most: number
}

export function latencyOf(samples: readonly number[]): Latency {
  const sorted = Float64Array.from(samples).sort()
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}

export async function measure(clients: readonly Client[], { seconds, most }: Extent): Promise<Measured> {
  const samples = new Map<string, number[]>()
  const errorTexts: string[] = []
  let errors = 0
  let started = 0
  const timed: Timed = async (call, run) => {
    const begin = performance.now()
    const answer = await run()
    const took = performance.now() - begin
    const times = samples.get(call)
    if (times) times.push(took)
    else samples.set(call, [took])
    return answer
  }
  const begin = performance.now()
  const end = begin + seconds * 1000
  await Promise.all(
    clients.map(async (client) => {
      while (started < most && performance.now() < end) {
        started++
        try {
          await client.step(timed)
        } catch (error) {
          errors++
          if (errorTexts.length < 3) errorTexts.push((error as Error).message)
          // A client whose connection is gone would spin here until the time is over.
          if (errors > 1000) return
        }
      }
    }),
  )
  const took = (performance.now() - begin) / 1000
  const steps = started - errors
  return {
    clients: clients.length,
    steps,
    seconds: took,
    perSecond: steps / took,
    latencyMs: Object.fromEntries([...samples].map(([call, times]) => [call, latencyOf(times)])),
    errors,
    errorTexts,
  }
}

/** Opens the clients, works with them and closes them, whatever happens. */
export async function withClients<T>(opening: ReadonlyArray<Promise<Client>>, work: (clients: Client[]) => Promise<T>): Promise<T> {
  const opened = await Promise.allSettled(opening)
  const clients = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  try {
    const failed = opened.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
    return await work(clients)
  } finally {
    for (const client of clients) await client.close()
  }
}
