/** The log of the server: whatever is written passes the redactor and acts on no terminal, and lines inside a span carry its trace. */
import { trace } from '@opentelemetry/api'
import { type Logger, pino } from 'pino'
import { describeError } from './describe-error.ts'
import { inertJsonText } from './inert-text.ts'
import type { Redactor } from './redactor.ts'

function withTrace(line: object): object {
  const active = !('trace_id' in line) ? trace.getActiveSpan()?.spanContext().traceId : undefined
  return active === undefined ? line : { ...line, trace_id: active }
}

/** A child of `log` (which may be a logger of the embedding program) through which no secret passes. */
export function guardLog(log: Logger, redactor: Redactor): Logger {
  const guarded = log.child({}, { serializers: { err: describeIfError, error: describeIfError }, formatters: { log: withTrace } })
  const hooks = Object.getPrototypeOf(guarded)[pino.symbols.hooksSym] as { streamWrite?: (line: string) => string }
  const { streamWrite = (line: string) => line } = hooks
  // pino takes this hook for a whole logger only, not for a child; children of this child inherit it.
  Object.defineProperty(guarded, pino.symbols.hooksSym, {
    value: { ...hooks, streamWrite: (line: string) => streamWrite(inertJsonText(redactor.line(line))) },
  })
  return guarded
}

const describeIfError = (value: unknown): unknown => (value instanceof Error ? describeError(value) : value)
