/** Values by metric and labels, in memory. Bounded: whatever labels come, a metric never has more than `mostSeries` series. */
import { metricCatalogue, type MetricDefinition, type MetricName } from '@work-manager/contract'

export const mostSeries = 2000
const separator = '\u0000'
export const definitionOf = (name: MetricName): MetricDefinition => metricCatalogue[name]

export interface Series<T> {
  readonly name: MetricName
  /** In the order of the catalogue. */
  readonly labels: ReadonlyArray<readonly [string, string]>
  readonly value: T
}

export class SeriesMap<T> {
  readonly #make: (name: MetricName) => T
  readonly #metrics = new Map<MetricName, Map<string, Series<T>>>()

  constructor(make: (name: MetricName) => T) {
    this.#make = make
  }

  /** The value behind the labels. Labels beyond the bound share one series, whose labels all say `other`. */
  at(name: MetricName, labels: Readonly<Record<string, string>>): T {
    let all = this.#metrics.get(name)
    if (!all) this.#metrics.set(name, (all = new Map()))
    const { labels: names } = definitionOf(name)
    let key = ''
    for (const label of names) key += (labels[label] ?? '') + separator
    let series = all.get(key)
    if (series) return series.value
    const full = all.size >= mostSeries - 1
    if (full) {
      key = ''
      series = all.get(key)
      if (series) return series.value
    }
    series = { name, labels: names.map((label) => [label, full ? 'other' : (labels[label] ?? '')] as const), value: this.#make(name) }
    all.set(key, series)
    return series.value
  }

  *[Symbol.iterator](): IterableIterator<Series<T>> {
    for (const all of this.#metrics.values()) yield* all.values()
  }
}

export interface Exemplar {
  readonly traceId: string
  readonly value: number
  readonly at: number
}

/** What every kind of metric needs, in one plain shape that can be sent to another process: a histogram uses all of it. */
export interface Reading {
  value: number
  count: number
  max: number
  /** Per bucket, not yet summed up; the last one is +Inf. */
  readonly buckets: number[]
  readonly exemplars: (Exemplar | null)[]
}

export const newReading = (name: MetricName): Reading => {
  const bounds = definitionOf(name).buckets
  const places = bounds ? bounds.length + 1 : 0
  return { value: 0, count: 0, max: 0, buckets: Array.from({ length: places }, () => 0), exemplars: [] }
}

export function observeInto(reading: Reading, name: MetricName, value: number, traceId?: string | null): void {
  const bounds = definitionOf(name).buckets!
  let place = 0
  while (place < bounds.length && value > bounds[place]!) place++
  reading.buckets[place]!++
  reading.value += value
  reading.count++
  if (value > reading.max) reading.max = value
  if (traceId) reading.exemplars[place] = { traceId, value, at: Date.now() }
}
