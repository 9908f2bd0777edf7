/** The text that scrapers read: Prometheus 0.0.4, or OpenMetrics 1.0 with exemplars, whichever the Accept header asks for. */
import { type MetricName, metricCatalogue, metricsNamespace } from '@work-manager/contract'
import { definitionOf, type Exemplar, type Reading, type Series } from './series.ts'

export const textType = 'text/plain; version=0.0.4; charset=utf-8'
export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** A foreign metric, as prom-client tells it. */
export interface ForeignMetric {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly values: readonly {
    readonly labels: Readonly<Record<string, string | number>>
    readonly value: number
    readonly metricName?: string
  }[]
}

/** Prometheus names both in its Accept header, with q-values; whoever names OpenMetrics understands it. */
export const wantsOpenMetrics = (accept: string | undefined): boolean => accept?.includes('application/openmetrics-text') ?? false

const escapedHelp = (text: string): string => text.replaceAll('\\', String.raw`\\`).replaceAll('\n', String.raw`\n`)
const escaped = (text: string): string => escapedHelp(text).replaceAll('"', String.raw`\"`)
const labelText = (labels: Iterable<readonly [string, string]>): string => {
  const text = [...labels].map(([name, value]) => `${name}="${escaped(value)}"`).join(',')
  return text === '' ? '' : `{${text}}`
}
const exemplarText = (exemplar: Exemplar | null | undefined): string =>
  exemplar ? ` # {trace_id="${escaped(exemplar.traceId)}"} ${exemplar.value} ${(exemplar.at / 1000).toFixed(3)}` : ''

function heading(family: string, kind: string, help: string, open: boolean): string[] {
  const name = open && kind === 'counter' ? family.replace(/_total$/, '') : family
  return [`# HELP ${name} ${open ? escaped(help) : escapedHelp(help)}`, `# TYPE ${name} ${kind}`]
}

/** OpenMetrics wants bounds as floats. */
const boundText = (bound: number, open: boolean): string => (open && Number.isInteger(bound) ? `${bound}.0` : String(bound))

function histogramLines(family: string, series: Series<Reading>, open: boolean): string[] {
  const bounds = definitionOf(series.name).buckets!
  const { buckets, exemplars, value, count } = series.value
  let sum = 0
  const lines = buckets.map((n, place) => {
    sum += n
    const bound = place < bounds.length ? boundText(bounds[place]!, open) : '+Inf'
    return `${family}_bucket${labelText([...series.labels, ['le', bound]])} ${sum}${open ? exemplarText(exemplars[place]) : ''}`
  })
  const labels = labelText(series.labels)
  return [...lines, `${family}_sum${labels} ${value}`, `${family}_count${labels} ${count}`]
}

/** Every family of the catalogue that has a value, then the foreign ones. */
export function renderExposition(all: Iterable<Series<Reading>>, foreign: readonly ForeignMetric[], open: boolean): string {
  const byName = Map.groupBy(all, (series) => series.name)
  const lines: string[] = []
  for (const name of Object.keys(metricCatalogue) as MetricName[]) {
    const { kind, help } = definitionOf(name)
    // A gauge that is not known is left out: a stale number would lie.
    const known = (byName.get(name) ?? []).filter((series) => kind !== 'gauge' || !Number.isNaN(series.value.value))
    if (known.length === 0) continue
    const family = `${metricsNamespace}_${name}`
    lines.push(...heading(family, kind, help, open))
    for (const series of known)
      lines.push(
        ...(kind === 'histogram' ? histogramLines(family, series, open) : [`${family}${labelText(series.labels)} ${series.value.value}`]),
      )
  }
  for (const metric of foreign) {
    lines.push(...heading(metric.name, metric.type, metric.help, open))
    for (const { labels, value, metricName } of metric.values)
      lines.push(`${metricName ?? metric.name}${labelText(Object.entries(labels).map(([n, v]) => [n, String(v)] as const))} ${value}`)
  }
  return `${lines.join('\n')}\n${open ? '# EOF\n' : ''}`
}
