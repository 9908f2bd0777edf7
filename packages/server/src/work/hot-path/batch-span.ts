/** A statement that several requests share, as a span: a child of the first request's, and linked from the others'. */
import { attributesOf } from '../../tracing/attributes.ts'
import type { OperationTrace } from '../../tracing/operation-trace.ts'
import { nowMs, type Span, type Tracing } from '../../tracing/tracing.ts'

interface Batch<T> {
  readonly statement: string
  readonly requests: ReadonlyArray<{ readonly trace?: OperationTrace | null }>
  run(): Promise<T>
  /** Of requests that nobody else traces: false when nothing came of it, so that idle agents do not fill the collector. */
  isWorthASpan?(done: T): boolean
}

export function asBatch<T>(tracing: Tracing, batch: Batch<T>): Promise<T> {
  return tracing.isOn ? recorded(tracing, batch) : batch.run()
}

async function recorded<T>(tracing: Tracing, { statement, requests, run, isWorthASpan = () => true }: Batch<T>): Promise<T> {
  const startedAt = nowMs()
  const traces = requests.flatMap((request) => request.trace ?? [])
  // A checkout without a caller's trace has no place yet: which order it belongs to is what the statement finds out.
  const [first, ...rest] = traces.filter((trace) => trace.settledTraceparent !== null)
  const begin = (): Span => {
    const span = tracing.start(statement, {
      kind: 'client',
      parent: first?.traceparent ?? null,
      links: rest.map((trace) => trace.traceparent),
      attributes: attributesOf({ statement, batchSize: requests.length }),
      startedAt,
    })
    for (const trace of traces) if (trace !== first) trace.link(span.traceparent!)
    return span
  }
  try {
    const done = await run()
    if (first || isWorthASpan(done)) begin().end()
    return done
  } catch (error) {
    begin().end({ code: 'statement_failed', failed: true })
    throw error
  }
}
