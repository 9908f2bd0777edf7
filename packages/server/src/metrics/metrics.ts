/** The metrics driver: where counts, gauges and durations go. Drivers never throw and never wait: a lost sample must not cost a request. */
import type { CounterName, GaugeName, HistogramName, LabelsOf } from '@work-manager/contract'
import type { Logger } from 'pino'

export interface Metrics {
  increment<N extends CounterName>(name: N, labels: LabelsOf<N>, by?: number): void
  /** NaN says that the value is not known just now. */
  set<N extends GaugeName>(name: N, labels: LabelsOf<N>, value: number): void
  /** `traceId` becomes an exemplar where the driver has them. */
  observe<N extends HistogramName>(name: N, labels: LabelsOf<N>, value: number, traceId?: string | null): void
}

export const nullMetrics: Metrics = { increment() {}, set() {}, observe() {} }

export interface Exposition {
  readonly contentType: string
  readonly body: string
}

export interface MetricsDriver extends Metrics {
  /** What a scraper gets for its Accept header; drivers that push have none. */
  expose?(accept: string | undefined): Promise<Exposition>
  /** Sends what has gathered. Never throws; what cannot be sent is counted on or given up, but not piled up. */
  flush(): Promise<void>
  close(): Promise<void>
}

export interface DriverOptions {
  readonly log: Logger
  readonly version: string
  /** Between two sendings of a driver that pushes. */
  readonly intervalMs: number
  readonly statsd: { readonly host: string; readonly port: number }
  /** The collector, with or without `/v1/metrics`. Headers for it come from OTEL_EXPORTER_OTLP_HEADERS. */
  readonly otlpEndpoint: string
  readonly serviceName: string
  /** Brings gauges that are read and not told (queue depth, connections …) up to date; called before each scrape or sending. */
  refresh(): Promise<void>
}

export type DriverFactory = (options: DriverOptions) => MetricsDriver | Promise<MetricsDriver>
