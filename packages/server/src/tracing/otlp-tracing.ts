/**
 * Traces sent to an OpenTelemetry collector (OTLP over HTTP). The SDK is an optional peer, loaded only here and only when configured. It
 * is not registered as the process's own: a program that embeds Work Manager may have one already.
 */
import { randomUUID } from 'node:crypto'
import {
  context,
  createTraceState,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Span as OtelSpan,
  type SpanContext,
} from '@opentelemetry/api'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import type { Logger } from 'pino'
import { errorType } from './attributes.ts'
import { enterContextManager } from './context-manager.ts'
import { loadSdk, type Sdk } from './load-sdk.ts'
import { spanIdOf, traceIdOf } from './traceparent.ts'
import { nowMs, type Span, type SpanOptions, type Tracing } from './tracing.ts'

export interface OtlpSettings {
  /** Base address of the collector, or the whole address of its traces. */
  readonly endpoint: string
  readonly sampleRatio: number
  readonly serviceName: string
  readonly serviceVersion: string
}

// What waits for the collector, at most; the newest beyond it is lost. Some 4 MB at our span sizes.
const maxQueueSize = 4_096
const maxExportBatchSize = 512
const scheduledDelayMillis = 1_000
const exportTimeoutMillis = 5_000
const farewellMs = 2_000
/** A collector that stays away is not logged once a second. */
const complaintEveryMs = 60_000

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER } as const

/** Refuses with: TracingStartError when a package is not installed. */
export async function openOtlpTracing(settings: OtlpSettings, log: Logger): Promise<Tracing> {
  const sdk = await loadSdk()
  const leave = enterContextManager(() => new sdk.AsyncLocalStorageContextManager())
  const ids = new ChosenIds(new sdk.RandomIdGenerator())
  const exporter = new sdk.OTLPTraceExporter({ url: tracesUrl(settings.endpoint), timeoutMillis: exportTimeoutMillis })
  const provider = new sdk.TracerProvider({
    resource: sdk.resourceFromAttributes({
      'service.name': settings.serviceName,
      'service.version': settings.serviceVersion,
      'service.instance.id': randomUUID(),
    }),
    // Whoever began the trace decided; only traces that begin here are sampled here.
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(settings.sampleRatio) }),
    idGenerator: ids,
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: outspoken(exporter, log),
        maxQueueSize,
        maxExportBatchSize,
        scheduledDelayMillis,
        exportTimeoutMillis,
      }),
    ],
  })
  const tracer = provider.getTracer('work-manager', settings.serviceVersion)

  function start(name: string, options: SpanOptions = {}): Span {
    const { parent, tracestate, links = [], attributes = {}, startedAt } = options
    const above = parent
      ? trace.setSpanContext(context.active(), {
          ...contextOf(parent),
          ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
        })
      : trace.deleteSpan(context.active())
    ids.next = options.spanId
    const span = tracer.startSpan(
      name,
      {
        kind: options.kind ? kinds[options.kind] : SpanKind.INTERNAL,
        attributes,
        links: links.map((link) => ({ context: contextOf(link) })),
        startTime: startedAt ?? nowMs(),
      },
      above,
    )
    ids.next = undefined
    return new RecordedSpan(span)
  }

  return {
    isOn: true,
    start,
    async close() {
      // Unreachable collectors are retried for longer than a stop may take.
      const patience = Promise.withResolvers<void>()
      const timer = setTimeout(patience.resolve, farewellMs)
      await Promise.race([provider.shutdown().catch(() => {}), patience.promise])
      clearTimeout(timer)
      leave()
    },
  }
}

class RecordedSpan implements Span {
  readonly traceparent: string
  private readonly span: OtelSpan
  constructor(span: OtelSpan) {
    this.span = span
    const { traceId, spanId, traceFlags } = span.spanContext()
    this.traceparent = `00-${traceId}-${spanId}-${traceFlags & TraceFlags.SAMPLED ? '01' : '00'}`
  }
  set(attributes: Readonly<Record<string, string | number | boolean | undefined>>): void {
    this.span.setAttributes(attributes)
  }
  link(traceparent: string): void {
    this.span.addLink({ context: contextOf(traceparent) })
  }
  within<T>(work: () => T): T {
    return context.with(trace.setSpan(context.active(), this.span), work)
  }
  end(how: { readonly code?: string; readonly failed?: boolean } = {}): void {
    if (how.code !== undefined) this.span.setAttribute(errorType, how.code)
    if (how.failed) this.span.setStatus({ code: SpanStatusCode.ERROR })
    this.span.end(nowMs())
  }
}

const contextOf = (traceparent: string): SpanContext => ({
  traceId: traceIdOf(traceparent)!,
  spanId: spanIdOf(traceparent),
  traceFlags: Number.parseInt(traceparent.slice(53), 16) & TraceFlags.SAMPLED,
  isRemote: true,
})

/** Random ids, but for the one span whose id is known beforehand. */
class ChosenIds {
  next: string | undefined
  private readonly random: InstanceType<Sdk['RandomIdGenerator']>
  constructor(random: InstanceType<Sdk['RandomIdGenerator']>) {
    this.random = random
  }
  generateTraceId(): string {
    return this.random.generateTraceId()
  }
  generateSpanId(): string {
    return this.next ?? this.random.generateSpanId()
  }
}

/** `http://collector:4318` is the base of all signals, as in OTEL_EXPORTER_OTLP_ENDPOINT; an address that names the traces is taken as it is. */
export function tracesUrl(endpoint: string): string {
  const base = endpoint.replace(/\/+$/, '')
  return base.endsWith('/v1/traces') ? base : `${base}/v1/traces`
}

/** Says once when spans do not arrive and when they do again: losing them costs no request, but somebody should know. */
function outspoken(exporter: SpanExporter, log: Logger): SpanExporter {
  let lost = 0
  let complainedAt = -Infinity
  return {
    export(spans: ReadableSpan[], done) {
      exporter.export(spans, (result) => {
        if (result.error === undefined) {
          if (lost > 0) log.info({ component: 'tracing', lost }, 'the collector takes spans again')
          lost = 0
          complainedAt = -Infinity
        } else {
          lost += spans.length
          if (performance.now() - complainedAt > complaintEveryMs) {
            complainedAt = performance.now()
            log.warn({ component: 'tracing', lost, error: result.error.message }, 'the collector does not take spans; they are dropped')
          }
        }
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  }
}
