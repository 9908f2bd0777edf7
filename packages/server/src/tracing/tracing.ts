/** The port through which everything traces. `noTracing` records nothing and passes a caller's trace on as it is. */
import type { Attributes } from './attributes.ts'

export interface SpanOptions {
  /** The span that it continues; without one it begins a trace. */
  readonly parent?: string | null
  readonly tracestate?: string | undefined
  readonly kind?: 'server' | 'client' | 'producer' | 'consumer'
  readonly links?: readonly string[]
  readonly attributes?: Attributes
  /** Milliseconds since 1970, where it began before its parent was known. */
  readonly startedAt?: number
  readonly spanId?: string
}

export interface SpanEnd {
  /** Code of the refusal or failure. */
  readonly code?: string
  /** True when it was not the caller's mistake. */
  readonly failed?: boolean
}

export interface Span {
  /** What its children continue, in this process or another; null when there is no trace. */
  readonly traceparent: string | null
  set(attributes: Attributes): void
  /** A span that this one has to do with and that is not its parent. */
  link(traceparent: string): void
  /** Runs `work` with the span as OpenTelemetry's active one, for instrumentation that users bring along. */
  within<T>(work: () => T): T
  end(how?: SpanEnd): void
}

export interface Tracing {
  /** False: no span is recorded anywhere, and nobody needs to prepare one. */
  readonly isOn: boolean
  start(name: string, options?: SpanOptions): Span
  /** Hands over what is left, for a moment; a collector that is away does not hold up the end of the process. */
  close(): Promise<void>
}

/** Of a parent that is only passed on. */
class PassedOn implements Span {
  readonly traceparent: string | null
  constructor(traceparent: string | null) {
    this.traceparent = traceparent
  }
  set(): void {}
  link(): void {}
  within<T>(work: () => T): T {
    return work()
  }
  end(): void {}
}

export const noTracing: Tracing = {
  isOn: false,
  start: (_name, options) => new PassedOn(options?.parent ?? null),
  async close() {},
}

/** Runs `work` as a span; what it throws ends the span as failed and is thrown on. */
export async function traced<T>(tracing: Tracing, name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
  const span = tracing.start(name, options)
  try {
    const done = await span.within(() => work(span))
    span.end()
    return done
  } catch (error) {
    span.end({ code: nameOf(error), failed: true })
    throw error
  }
}

/** A code or a class, as short as those are: what users' code throws may say anything. */
const nameOf = (error: unknown): string => {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  return ([code, name].find((word) => typeof word === 'string' && /^[\w.-]{1,64}$/.test(word)) as string | undefined) ?? 'error'
}

/** Milliseconds since 1970, with fractions. */
export const nowMs = (): number => performance.timeOrigin + performance.now()
