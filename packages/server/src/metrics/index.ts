/** Opens the driver that the configuration names, with everything that is read for it. */
import { failureReasons, type MetricName, metricCatalogue } from '@work-manager/contract'
import { createGauges, type GaugeSources } from './gauges.ts'
import { metricsDrivers, type MetricsDriverName } from './drivers/index.ts'
import type { DriverOptions, Metrics, MetricsDriver } from './metrics.ts'

export interface MetricsOptions extends Omit<DriverOptions, 'refresh'> {
  readonly driver: MetricsDriverName
  readonly sources: GaugeSources
  /** The registered order types: their counters exist from the start. */
  readonly types: readonly string[]
}

/**
 * Counters of the known types begin at 0: `rate()` does not see the first increment of a series that begins with it, and the first
 * failed apply is the one that should wake somebody.
 */
function beginAtZero(metrics: Metrics, types: readonly string[]): void {
  for (const name of Object.keys(metricCatalogue) as MetricName[]) {
    const { kind, labels } = metricCatalogue[name] as { kind: string; labels: readonly string[] }
    if (kind !== 'counter' || labels[0] !== 'type') continue
    const reasons = name in failureReasons ? failureReasons[name as keyof typeof failureReasons] : [undefined]
    for (const type of types)
      for (const reason of reasons) metrics.increment(name as 'items_failed_total', { type, ...(reason && { reason }) } as never, 0)
  }
}

/** Refuses with: MissingPackageError (driver otel without its packages). */
export async function openMetrics({ driver, sources, types, ...options }: MetricsOptions): Promise<MetricsDriver> {
  let refresh = async (): Promise<void> => {}
  const opened = await metricsDrivers[driver]({ ...options, refresh: () => refresh() })
  if (driver === 'null') return opened
  const gauges = createGauges(opened, sources)
  ;({ refresh } = gauges)
  beginAtZero(opened, types)
  return {
    ...opened,
    async close() {
      await opened.close()
      gauges.close()
    },
  }
}
