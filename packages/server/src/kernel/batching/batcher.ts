/**
 * Requests of one kind share a statement: while one is in flight the next ones collect, and the first free turn takes them all.
 * No timer: a lone request goes out at once. One transaction of 32 costs little more than one of 1, so the limit is rows, not commits.
 */

import type { Turns } from './turns.ts'

/** The answer of a request that is to go out again with a later batch of its lane. */
export const again: unique symbol = Symbol('again')

export interface BatcherOptions<In, Out> {
  /** Requests with the same lane may share a statement (tenant, filter …). */
  lane(request: In): string
  /** Requests with the same conflict key never share a statement (one request per item per batch). */
  conflict?(request: In): string
  /** Runs one statement for all of `requests`, which are of one lane; the answers come in the same order. */
  run(requests: readonly In[]): Promise<ReadonlyArray<Out | typeof again>>
  /** True when the failure says nothing about the single requests (the connection broke): all of them hear it, none is run again. */
  isCommon(error: unknown): boolean
  readonly maxBatch: number
  /** Statements of one lane in flight at a time. More only makes them queue on each other's locks. */
  readonly inFlightPerLane: number
  /** Shared with other kinds of requests: a lane runs a statement when it is its turn in its group. Without, at once. */
  readonly turns?: { readonly of: Turns; group(request: In): string }
}

interface Waiting<In, Out> {
  readonly request: In
  resolve(answer: Out): void
  reject(error: unknown): void
}
interface Lane<In, Out> {
  readonly group: string
  queue: Waiting<In, Out>[]
  running: number
  /** Whether it has asked for a turn that it has not had yet. */
  asked: boolean
}

export function createBatcher<In, Out>(options: BatcherOptions<In, Out>): (request: In) => Promise<Out> {
  const lanes = new Map<string, Lane<In, Out>>()

  function take(lane: Lane<In, Out>): Waiting<In, Out>[] {
    if (!options.conflict) return lane.queue.splice(0, options.maxBatch)
    const seen = new Set<string>()
    const batch: Waiting<In, Out>[] = []
    const left: Waiting<In, Out>[] = []
    for (const waiting of lane.queue) {
      const key = options.conflict(waiting.request)
      if (batch.length < options.maxBatch && !seen.has(key)) batch.push(waiting)
      else left.push(waiting)
      seen.add(key)
    }
    lane.queue = left
    return batch
  }

  async function runBatch(lane: Lane<In, Out>, batch: Waiting<In, Out>[]): Promise<void> {
    try {
      const answers = await options.run(batch.map((waiting) => waiting.request))
      const unserved: Waiting<In, Out>[] = []
      batch.forEach((waiting, n) => {
        const answer = answers[n]!
        if (answer === again) unserved.push(waiting)
        else waiting.resolve(answer)
      })
      lane.queue.unshift(...unserved)
    } catch (error) {
      if (batch.length === 1 || options.isCommon(error)) return batch.forEach((waiting) => waiting.reject(error))
      // A batch that fails as a whole is retried one by one, so one bad request never hurts its neighbours.
      for (const waiting of batch) await runBatch(lane, [waiting])
    }
  }

  async function run(name: string, lane: Lane<In, Out>): Promise<void> {
    lane.running++
    await runBatch(lane, take(lane))
    lane.running--
    pump(name, lane)
  }

  function pump(name: string, lane: Lane<In, Out>): void {
    while (lane.queue.length > 0 && lane.running < options.inFlightPerLane && !lane.asked) {
      if (!options.turns) {
        void run(name, lane)
        continue
      }
      lane.asked = true
      options.turns.of.ask(lane.group, {
        size: () => lane.queue.length,
        go: () => {
          lane.asked = false
          return run(name, lane)
        },
      })
    }
    // A late pump of a lane that was emptied meanwhile must not take its successor off the list.
    if (lane.queue.length === 0 && lane.running === 0 && lanes.get(name) === lane) lanes.delete(name)
  }

  return (request) =>
    new Promise((resolve, reject) => {
      const name = options.lane(request)
      let lane = lanes.get(name)
      if (!lane) lanes.set(name, (lane = { group: options.turns?.group(request) ?? '', queue: [], running: 0, asked: false }))
      lane.queue.push({ request, resolve, reject })
      // Requests that arrive in the same turn of the event loop (a burst on several sockets) go out together.
      if (lane.queue.length === 1) setImmediate(pump, name, lane)
    })
}
