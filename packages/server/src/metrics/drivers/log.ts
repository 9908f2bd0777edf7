/** Metrics as log lines: per series one line and interval, however many samples it had, so that load does not flood the log. */
import { metricsNamespace, type MetricName } from '@work-manager/contract'
import type { DriverFactory } from '../metrics.ts'
import { definitionOf, newReading, observeInto, type Reading, type Series, SeriesMap } from '../series.ts'
import { pushEvery } from './push.ts'

const gauges = (name: MetricName): boolean => definitionOf(name).kind === 'gauge'
const rounded = (value: number): number => Number(value.toPrecision(6))

function line({ name, labels, value: reading }: Series<Reading>, seconds: number) {
  const { kind } = definitionOf(name)
  const { value, count, max } = reading
  const metric = `${metricsNamespace}.${name}`
  const histogram =
    kind === 'histogram' ? { count, sum: rounded(value), mean: rounded(value / count), max: rounded(max) } : { value: rounded(value) }
  const shown = labels.map(([label, text]) => `${label}=${text}`).join(', ')
  return {
    fields: {
      component: 'metrics',
      metric,
      metric_type: kind,
      ...histogram,
      labels: Object.fromEntries(labels),
      ...(kind === 'gauge' ? {} : { seconds }),
    },
    message: `[Metric] ${kind.toUpperCase()} ${metric} = ${rounded(kind === 'histogram' ? value / count : value)} {${shown}}`,
  }
}

export const log: DriverFactory = ({ log: logger, intervalMs, refresh }) => {
  let counted = new SeriesMap(newReading)
  const levels = new SeriesMap(newReading)
  let since = performance.now()
  const pushing = pushEvery(
    intervalMs,
    async () => {
      await refresh()
      const taken = counted
      const seconds = rounded((performance.now() - since) / 1000)
      counted = new SeriesMap(newReading)
      since = performance.now()
      for (const series of [...taken, ...levels]) {
        const { value, count } = series.value
        if (gauges(series.name) ? Number.isNaN(value) : value === 0 && count === 0) continue
        const { fields, message } = line(series, seconds)
        logger.info(fields, message)
      }
    },
    logger,
  )
  return {
    increment: (name, labels, by = 1) => void (counted.at(name, labels).value += by),
    set: (name, labels, value) => void (levels.at(name, labels).value = value),
    observe: (name, labels, value) => observeInto(counted.at(name, labels), name, value),
    ...pushing,
  }
}
