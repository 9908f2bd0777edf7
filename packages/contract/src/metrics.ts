/** The metric catalogue, merged from the rows of each part, and what may stand in its labels. */
import { kernelMetrics } from './kernel/metrics.ts'
import { ledgerMetrics } from './ledger/metrics.ts'
import { workMetrics } from './work/metrics.ts'

export const metricCatalogue = { ...workMetrics, ...ledgerMetrics, ...kernelMetrics } as const

/** What may stand in a label: closed sets, so that the number of series is known. */
export const labelMeanings = {
  type: 'order type, as registered',
  reason: 'why, see failureReasons',
  kind: 'kind of event, or of what is cached',
  operation: 'name of the operation',
  outcome: 'how it ended, see the metric',
  code: 'error code',
  scope: 'what was limited or paused',
  tier: 'tier of the tenant',
  pool: 'app, system, hot or windows',
  state: 'used, idle or waiting',
  publisher: 'publisher, as configured',
} as const

export type MetricName = keyof typeof metricCatalogue
type NameOf<Kind> = { [N in MetricName]: (typeof metricCatalogue)[N]['kind'] extends Kind ? N : never }[MetricName]
export type CounterName = NameOf<'counter'>
export type GaugeName = NameOf<'gauge'>
export type HistogramName = NameOf<'histogram'>
/** A value for each label of the metric, no more and no fewer. */
export type LabelsOf<N extends MetricName> = Readonly<Record<(typeof metricCatalogue)[N]['labels'][number], string>>
