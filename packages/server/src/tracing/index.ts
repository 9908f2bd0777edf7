/** Where traces go, by setting. The exporter's module is loaded only when it is the one. */
import type { Logger } from 'pino'
import { noTracing, type Tracing } from './tracing.ts'

export interface TracingSettings {
  readonly exporter: 'none' | 'otlp'
  readonly endpoint: string
  readonly sampleRatio: number
  readonly serviceName: string
  readonly serviceVersion: string
}

/** Refuses with: TracingStartError when the exporter's packages are not installed. */
export async function openTracing(settings: TracingSettings, log: Logger): Promise<Tracing> {
  if (settings.exporter === 'none') return noTracing
  const { openOtlpTracing } = await import('./otlp-tracing.ts')
  return openOtlpTracing(settings, log)
}
