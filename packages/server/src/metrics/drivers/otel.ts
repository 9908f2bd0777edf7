/**
 * OpenTelemetry: metrics over OTLP/HTTP. The SDK is loaded only when this driver is chosen. It keeps running totals, so an interval whose
 * sending failed is made good by the next one, and a collector that is away costs no memory.
 */
import { hostname } from 'node:os'
import type { Counter, Histogram, Meter } from '@opentelemetry/api'
import type * as exporterModule from '@opentelemetry/exporter-metrics-otlp-http'
import type * as resourcesModule from '@opentelemetry/resources'
import type * as metricsModule from '@opentelemetry/sdk-metrics'
import { type MetricName, metricsNamespace } from '@work-manager/contract'
import type { DriverFactory, DriverOptions, MetricsDriver } from '../metrics.ts'
import { definitionOf, mostSeries, SeriesMap } from '../series.ts'
import { pushEvery, receiverState } from './push.ts'

const packages = ['@opentelemetry/sdk-metrics', '@opentelemetry/exporter-metrics-otlp-http', '@opentelemetry/resources'] as const
/** Attempts included. Short, because a total that is not sent now is part of the next. */
const exportTimeoutMs = 2_000
/** The exporter may still be trying when the server stops. */
const shutdownMs = 500
/** The reader's own timer is not used: gauges are read first. */
const never = 2 ** 31 - 1

/** Named, because declarations cannot spell out the classes inside the packages. */
type Sdk = typeof metricsModule & typeof exporterModule & typeof resourcesModule

async function loadSdk(): Promise<Sdk> {
  const [sdk, exporter, resources] = await Promise.all([
    import('@opentelemetry/sdk-metrics'),
    import('@opentelemetry/exporter-metrics-otlp-http'),
    import('@opentelemetry/resources'),
  ])
  return { ...sdk, ...exporter, ...resources }
}

/** The chosen driver needs packages that are not installed; the message says which. */
export class MissingPackageError extends Error {
  constructor(options?: ErrorOptions) {
    super(
      `metrics.driver is otel, but its packages are not installed. Install them beside Work Manager: npm install ${packages.join(' ')}. Or choose another driver.`,
      options,
    )
    this.name = 'MissingPackageError'
  }
}

interface Level {
  value: number
}

/** The instruments by name, made at the first use. Gauges are observed, so that one whose value is not known is left out. */
function createInstruments(meter: Meter) {
  const adding = new Map<MetricName, Counter | Histogram>()
  const levels = new SeriesMap((): Level => ({ value: Number.NaN }))
  const observed = new Set<MetricName>()
  const optionsOf = (name: MetricName) => ({
    description: definitionOf(name).help,
    ...(name.endsWith('_seconds') ? { unit: 's' } : {}),
  })
  const full = (name: MetricName) => `${metricsNamespace}.${name}`

  return {
    adding(name: MetricName): Counter & Histogram {
      let instrument = adding.get(name)
      if (!instrument) {
        const { buckets } = definitionOf(name)
        instrument = buckets
          ? meter.createHistogram(full(name), { ...optionsOf(name), advice: { explicitBucketBoundaries: [...buckets] } })
          : meter.createCounter(full(name), optionsOf(name))
        adding.set(name, instrument)
      }
      return instrument as Counter & Histogram
    },
    level(name: MetricName, labels: Readonly<Record<string, string>>): Level {
      if (!observed.has(name)) {
        observed.add(name)
        meter.createObservableGauge(full(name), optionsOf(name)).addCallback((result) => {
          for (const series of levels)
            if (series.name === name && Number.isFinite(series.value.value))
              result.observe(series.value.value, Object.fromEntries(series.labels))
        })
      }
      return levels.at(name, labels)
    },
  }
}

const metricsUrl = (endpoint: string): string => {
  const base = endpoint.replace(/\/+$/, '')
  return base.endsWith('/v1/metrics') ? base : `${base}/v1/metrics`
}

/** Refuses with: MissingPackageError. */
export async function createOtelDriver(options: DriverOptions, load: () => Promise<Sdk> = loadSdk): Promise<MetricsDriver> {
  const { log, version, intervalMs, otlpEndpoint, serviceName, refresh } = options
  const sdk = await load().catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' ? new MissingPackageError({ cause: error }) : error
  })
  const note = receiverState(log, 'otel', new URL(otlpEndpoint).origin)
  const exporter = new sdk.OTLPMetricExporter({ url: metricsUrl(otlpEndpoint), timeoutMillis: exportTimeoutMs })
  const send = exporter.export.bind(exporter)
  exporter.export = (metrics, done) =>
    send(metrics, (result) => {
      // ExportResultCode.SUCCESS, which only a package of the SDK's inside names.
      const code: number = result.code
      note(code === 0 ? null : (result.error ?? new Error('the export failed')))
      done(result)
    })
  const reader = new sdk.PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: never,
    exportTimeoutMillis: 2 * exportTimeoutMs,
    cardinalityLimits: { default: mostSeries },
  })
  const provider = new sdk.MeterProvider({
    readers: [reader],
    resource: sdk.resourceFromAttributes({
      'service.name': serviceName,
      'service.version': version,
      // Several processes of one machine add up only when they are told apart.
      'service.instance.id': `${hostname()}:${process.pid}`,
    }),
  })
  const instruments = createInstruments(provider.getMeter('work-manager', version))
  const pushing = pushEvery(
    intervalMs,
    async () => {
      await refresh()
      // A failed export is known by `note`; the reader's rejection says the same again.
      await provider.forceFlush().catch(() => {})
    },
    log,
  )
  return {
    increment: (name, labels, by = 1) => instruments.adding(name).add(by, labels),
    set: (name, labels, value) => void (instruments.level(name, labels).value = value),
    observe: (name, labels, value) => instruments.adding(name).record(value, labels),
    flush: pushing.flush,
    async close() {
      await pushing.close()
      let limit: NodeJS.Timeout | undefined
      const tooLong = new Promise<void>((resolve) => (limit = setTimeout(resolve, shutdownMs)))
      await Promise.race([provider.shutdown().catch(() => {}), tooLong])
      clearTimeout(limit)
    },
  }
}

export const otel: DriverFactory = (options) => createOtelDriver(options)
