/** Who calls, and how this door reaches the operations: the same runner as every door, with the same provenance and refusals. */
import { readStory } from '../../kernel/operations/story.ts'
import { WorkError, type Problem } from '@work-manager/contract'
import type { IncomingHttpHeaders } from 'node:http'
import type { Logger } from 'pino'
import { describeError } from '../../log/describe-error.ts'
import { TypeCrashed } from '../../work/order-types/type-crashed.ts'
import { traceIdOf } from '../../tracing/traceparent.ts'
import type { Principal } from '../../kernel/principal.ts'
import { readProvenance } from '../../access/provenance.ts'
import type { OperationAnswer, OperationRunner } from '../../kernel/operations/run-operation.ts'
import type { ToolCall } from '../../tracing/attributes.ts'
import type { Followed } from './cancellations.ts'
import type { ToolOperation } from './tools.ts'
import { problemInWords, type Words } from './words.ts'

export interface CallerParts {
  readonly principal: Principal
  readonly headers: IncomingHttpHeaders
  readonly ip: string | undefined
  readonly anonymizeIp: boolean
  /** Where this server was reached, such as http://127.0.0.1:7420: completes links where no public URL is configured. */
  readonly origin: string
  readonly requestId: string
  readonly correlationId: string
  /** What the client said of the story, as it was sent: checked for each call, so that its refusal is an answer of the tool. */
  readonly sentStory: { readonly correlation: unknown; readonly session: unknown }
  readonly traceparent: string | null
  readonly tracestate: string | undefined
  /** What `tools/call` calls. */
  readonly tool: ToolCall | undefined
  /** True when the server's disk takes no writes. */
  readonly readOnly: boolean
  /** Arguments that are no object: the SDK would refuse them as a protocol error, which no model gets to read. */
  readonly oddArguments: unknown
  readonly bodyBytes: number
  /** Calls back when the answer has left. */
  readonly untilSent: (gone: () => void) => void
  /** What becomes of this very call; undefined for messages that take nothing. */
  readonly followed: Followed | undefined
  /** Counts a call that never came to an operation. Refuses with: rate_limited. */
  readonly count: () => unknown
  readonly runOperation: OperationRunner
  /** The HTTP door's strict reader of bodies, for objects that come as text. */
  readonly parseBody: (bytes: Buffer) => Record<string, unknown>
  readonly words: Words
  readonly log: Logger
}

export interface OperationCall {
  readonly input: Record<string, unknown>
  readonly idempotencyKey?: string | undefined
  readonly claimedAgentId?: string | undefined
  readonly signal: AbortSignal
}

/** One credential on one request. */
export class Caller {
  readonly principal: Principal
  readonly oddArguments: unknown
  private readonly parts: CallerParts
  private hasRun = false

  constructor(parts: CallerParts) {
    this.parts = parts
    this.principal = parts.principal
    this.oddArguments = parts.oddArguments
  }

  async run({ operation, source }: Pick<ToolOperation, 'operation' | 'source'>, call: OperationCall): Promise<OperationAnswer> {
    const {
      principal,
      headers,
      ip,
      anonymizeIp,
      requestId,
      correlationId,
      sentStory,
      traceparent,
      tracestate,
      tool,
      runOperation,
      readOnly,
    } = this.parts
    if (readOnly && operation.http.method !== 'GET') throw new WorkError('storage_low')
    const story = readStory(sentStory.correlation, sentStory.session)
    const claims =
      call.claimedAgentId === undefined || headers['x-agent-id'] !== undefined
        ? headers
        : { ...headers, 'x-agent-id': headerValue(call.claimedAgentId) }
    const { followed } = this.parts
    this.hasRun = true
    const answer = await runOperation(operation, {
      principal,
      provenance: readProvenance(claims, principal, ip, { anonymizeIp }),
      requestId,
      correlationId: story.correlationId ?? correlationId,
      sessionKey: story.sessionKey,
      input: call.input,
      idempotencyKey: call.idempotencyKey,
      signal: followed ? AbortSignal.any([call.signal, followed.signal]) : call.signal,
      fingerprintSource: source(call.input),
      traceparent,
      tracestate,
      door: 'mcp',
      bodyBytes: this.parts.bodyBytes,
      origin: this.parts.origin,
      untilSent: this.parts.untilSent,
      tool,
    })
    if (answer.takeBack) followed?.happened(answer.takeBack)
    return answer
  }

  /** A call that was refused before it came to an operation costs as much as one. Refuses with: rate_limited. */
  async countRefused(): Promise<void> {
    if (!this.hasRun) await this.parts.count()
  }

  /** Any JSON value from its text, read as strictly as a body. Refuses with: json_syntax and its like. */
  parseJson(text: string): unknown {
    return this.parts.parseBody(Buffer.from(`{"value":${text}}`))['value']
  }

  /** A link of an answer as a whole address. */
  absolute(link: string | null): string | null {
    return link === null ? null : new URL(link, this.parts.origin).href
  }

  /** Whatever was thrown as the problem object of every door; what nobody knows is logged here, once, and its text stays inside. */
  problem(error: unknown, operation: string): Problem {
    const { requestId, traceparent, log, words } = this.parts
    const line = { request_id: requestId, trace_id: traceIdOf(traceparent), operation }
    if (error instanceof WorkError) {
      if (error.cause instanceof TypeCrashed) log.warn({ ...line, err: describeError(error.cause) }, 'the code of an order type failed')
      return problemInWords(error, requestId, words)
    }
    log.error({ ...line, err: describeError(error) }, 'request failed')
    return problemInWords(new WorkError('internal'), requestId, words)
  }
}

/** A text as an HTTP header would carry it: Node hands UTF-8 over as Latin-1. */
export const headerValue = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')
