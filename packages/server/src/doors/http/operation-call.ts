/** One call of an operation, as this door hands it over. */
import type { ServerResponse } from 'node:http'
import type { Principal, Provenance } from '../../kernel/principal.ts'
import type { OperationRequest } from '../../kernel/operations/run-operation.ts'
import { type Admission, noLimits } from '../../rate-limits/admission.ts'

/** The body is read when somebody asks for it: a call that is one too many is refused before its JSON costs anything. */
export interface HttpCallParts extends Omit<OperationRequest, 'signal' | 'noteLimits' | 'input' | 'untilSent' | 'origin'> {
  readonly readInput: () => Record<string, unknown>
  /** The same for a large body, in turns with others. */
  readonly readLargeInput: () => Promise<Record<string, unknown>>
}

/** Makes the abort signal only for those who look at it: most calls are over before anyone could hang up. */
export class HttpCall implements OperationRequest {
  readonly principal: Principal
  readonly provenance: Provenance
  readonly requestId: string
  readonly correlationId: string | undefined
  readonly sessionKey: string | null
  readonly idempotencyKey: string | undefined
  readonly fingerprintSource: string
  readonly traceparent: string | null
  readonly tracestate: string | undefined
  readonly door = 'http'
  /** What the call was counted against; the answer says it, whatever it is. */
  counted: Admission = noLimits
  private readonly sentBytes: number
  private readonly readInput: () => Record<string, unknown>
  private readonly readLargeInput: () => Promise<Record<string, unknown>>
  private given: Record<string, unknown> | undefined
  private readonly response: ServerResponse
  private controller: AbortController | undefined

  constructor(parts: HttpCallParts, response: ServerResponse) {
    this.principal = parts.principal
    this.provenance = parts.provenance
    this.requestId = parts.requestId
    this.correlationId = parts.correlationId
    this.sessionKey = parts.sessionKey ?? null
    this.sentBytes = parts.bodyBytes ?? 0
    this.readInput = parts.readInput
    this.readLargeInput = parts.readLargeInput
    this.idempotencyKey = parts.idempotencyKey
    this.fingerprintSource = parts.fingerprintSource
    this.traceparent = parts.traceparent
    this.tracestate = parts.tracestate
    this.response = response
  }

  /** Behind a proxy server.public_url says it instead. */
  get origin(): string | null {
    const { host } = this.response.req.headers
    return host !== undefined && /^[\w.:[\]-]+$/.test(host) && URL.canParse(`http://${host}`) ? `http://${host}` : null
  }

  get bodyBytes(): number {
    return this.sentBytes
  }

  untilSent(gone: () => void): void {
    const { response } = this
    if (response.destroyed || response.writableFinished) gone()
    else response.once('close', gone)
  }

  noteLimits(counted: Admission): void {
    this.counted = counted
  }

  async prepare(): Promise<void> {
    this.given ??= await this.readLargeInput()
  }

  get input(): Record<string, unknown> {
    return (this.given ??= this.readInput())
  }

  get signal(): AbortSignal {
    if (this.controller) return this.controller.signal
    const controller = new AbortController()
    const { response } = this
    const gone = (): void => {
      // Also closed, but not gone: an answer that was written in full.
      if (!response.writableFinished) controller.abort()
    }
    if (response.destroyed) gone()
    else response.once('close', gone)
    this.controller = controller
    return controller.signal
  }
}
