/**
 * Several worker processes on one port look like one server to a scraper, too: whichever of them is asked collects the numbers of all
 * of them through the primary. Counters and histograms add up; gauges that every process reads from the database are equal, so the
 * largest counts; those of a process itself add up. A worker that does not answer in time is left out of this scrape.
 */
import cluster, { type Worker } from 'node:cluster'
import type { GaugeName } from '@work-manager/contract'
import type { ForeignMetric } from './exposition.ts'
import { definitionOf, type Reading, type Series, SeriesMap, newReading } from './series.ts'

export interface ProcessMetrics {
  readonly series: readonly Series<Reading>[]
  readonly node: readonly ForeignMetric[]
}

interface Ask {
  readonly ask: number
}
interface Told {
  readonly answerTo: number
  readonly metrics: ProcessMetrics
}
interface Result {
  readonly result: number
  readonly of: ReadonlyArray<readonly [worker: number, metrics: ProcessMetrics]>
}
/** Ours among the messages of the channel are under this key. */
interface Envelope {
  readonly workManagerMetrics?: Partial<Ask & Told & Result>
}

/** Less than the 10 s that a scraper waits. */
const answerMs = 2_000
const ofProcess: ReadonlySet<string> = new Set<GaugeName>(['database_connections'])

/** The sum of what the processes told. */
export function mergeProcesses(processes: Result['of']): ProcessMetrics {
  const merged = new SeriesMap(newReading)
  for (const [, { series }] of processes)
    for (const { name, labels, value: each } of series) {
      const into = merged.at(name, Object.fromEntries(labels))
      const gauge = definitionOf(name).kind === 'gauge'
      if (gauge && !ofProcess.has(name)) into.value = into.count++ === 0 ? each.value : Math.max(into.value, each.value)
      else into.value += each.value
      if (gauge) continue
      into.count += each.count
      for (const [place, n] of each.buckets.entries()) into.buckets[place]! += n
      for (const [place, exemplar] of each.exemplars.entries())
        if (exemplar && (into.exemplars[place]?.at ?? 0) < exemplar.at) into.exemplars[place] = exemplar
    }
  const node = new Map<string, ForeignMetric>()
  for (const [worker, told] of processes)
    for (const metric of told.node) {
      const values = metric.values.map((one) => ({ ...one, labels: { ...one.labels, worker: String(worker) } }))
      node.set(metric.name, { ...metric, values: [...(node.get(metric.name)?.values ?? []), ...values] })
    }
  return { series: [...merged], node: [...node.values()] }
}

/** In the primary: carries the questions and answers. */
function relayBetweenWorkers(): () => void {
  const open = new Map<string, (worker: number, metrics: ProcessMetrics) => void>()
  let asked = 0
  const hear = (from: Worker, message: Envelope) => {
    const said = message?.workManagerMetrics
    if (said?.answerTo !== undefined) open.get(String(said.answerTo))?.(from.id, said.metrics!)
    if (said?.ask === undefined) return
    const question = ++asked
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected()) as Worker[]
    const told: Array<[number, ProcessMetrics]> = []
    const finish = () => {
      clearTimeout(timer)
      open.delete(String(question))
      if (from.isConnected()) from.send({ workManagerMetrics: { result: said.ask!, of: told } } satisfies Envelope)
    }
    const timer = setTimeout(finish, answerMs)
    open.set(String(question), (worker, metrics) => {
      told.push([worker, metrics])
      if (told.length === workers.length) finish()
    })
    for (const worker of workers) worker.send({ workManagerMetrics: { ask: question } } satisfies Envelope)
  }
  cluster.on('message', hear)
  return () => void cluster.off('message', hear)
}

/** In a worker: answers what the others ask, and asks them. Elsewhere: its own numbers. */
export function gatherFromSiblings(own: () => Promise<ProcessMetrics>): { gather(): Promise<ProcessMetrics>; close(): void } {
  // A process that has no workers hears nothing.
  if (!cluster.isWorker) return { gather: own, close: relayBetweenWorkers() }
  const waiting = new Map<number, (of: Result['of']) => void>()
  let asked = 0
  const send = (workManagerMetrics: Envelope['workManagerMetrics']) =>
    process.connected && process.send!({ workManagerMetrics } satisfies Envelope, undefined, undefined, () => {})
  const hear = (message: Envelope) => {
    const said = message?.workManagerMetrics
    if (said?.result !== undefined) waiting.get(said.result)?.(said.of ?? [])
    if (said?.ask !== undefined)
      void own().then(
        (metrics) => send({ answerTo: said.ask!, metrics }),
        () => {},
      )
  }
  process.on('message', hear)
  return {
    async gather() {
      const question = ++asked
      const { promise, resolve } = Promise.withResolvers<Result['of']>()
      const timer = setTimeout(() => resolve([]), 2 * answerMs)
      waiting.set(question, resolve)
      send({ ask: question })
      const of = await promise
      clearTimeout(timer)
      waiting.delete(question)
      // No primary that knows of us: then this process is all there is to tell.
      return of.length === 0 ? own() : mergeProcesses(of)
    },
    close: () => void process.off('message', hear),
  }
}
