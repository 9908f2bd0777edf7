/**
 * The span of one operation. Whose child it is may come to light only while it runs: a caller who sends no trace of its own continues the
 * one of the order or of the lease, which stand in the database. Until somebody asks for its place in the trace, it is only a start time.
 */
import { attributesOf, type Attributes, type About } from './attributes.ts'
import { traceIdOf } from './traceparent.ts'
import { nowMs, type Span, type SpanEnd, type Tracing } from './tracing.ts'

/** More links than a span keeps help nobody. */
const mostLinks = 100

export class OperationTrace {
  readonly tracing: Tracing
  private readonly name: string
  private readonly startedAt = nowMs()
  private readonly isOfCaller: boolean
  private readonly tracestate: string | undefined
  private readonly links = new Set<string>()
  private attributes: Attributes
  private parent: string | null
  private span: Span | null = null

  constructor(
    tracing: Tracing,
    name: string,
    options: { readonly sent: string | null; readonly tracestate: string | undefined; readonly attributes: Attributes },
  ) {
    this.tracing = tracing
    this.name = name
    this.parent = options.sent
    this.isOfCaller = options.sent !== null
    this.tracestate = options.sent === null ? undefined : options.tracestate
    this.attributes = options.attributes
  }

  /** The order or lease that it is about: continued, or linked to when the caller has a trace of its own. */
  follow(found: string): void {
    if (!this.isOfCaller && this.span === null) this.parent ??= found
    if (traceIdOf(found) !== traceIdOf(this.parent ?? this.traceparent)) this.link(found)
  }

  link(traceparent: string): void {
    if (this.links.size >= mostLinks || this.links.has(traceparent)) return
    this.links.add(traceparent)
    this.span?.link(traceparent)
  }

  describe(about: About): void {
    const attributes = attributesOf(about)
    this.attributes = { ...this.attributes, ...attributes }
    this.span?.set(attributes)
  }

  /** Its place in the trace; from now on its parent is settled. */
  get traceparent(): string {
    return this.started().traceparent!
  }

  /** Its place, if that is settled: for what may be asked before the parent is known. */
  get settledTraceparent(): string | null {
    return this.isOfCaller ? this.traceparent : (this.span?.traceparent ?? null)
  }

  private started(): Span {
    this.span ??= this.tracing.start(this.name, {
      parent: this.parent,
      tracestate: this.tracestate,
      kind: 'server',
      links: [...this.links],
      attributes: this.attributes,
      startedAt: this.startedAt,
    })
    return this.span
  }

  end(how?: SpanEnd): void {
    this.started().end(how)
  }
}
