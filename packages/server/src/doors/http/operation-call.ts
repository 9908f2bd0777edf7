/** One call of an operation, as this door hands it over. */
import type { ServerResponse } from 'node:http'
import type { Principal, Provenance } from '../../auth/principal.ts'
import type { OperationRequest } from '../../operations/run-operation.ts'

/** Makes the abort signal only for those who look at it: most calls are over before anyone could hang up. */
export class HttpCall implements OperationRequest {
  readonly principal: Principal
  readonly provenance: Provenance
  readonly requestId: string
  readonly input: Record<string, unknown>
  readonly idempotencyKey: string | undefined
  readonly fingerprintSource: string
  readonly traceId: string | null
  private readonly response: ServerResponse
  private controller: AbortController | undefined

  constructor(parts: Omit<OperationRequest, 'signal'>, response: ServerResponse) {
    this.principal = parts.principal
    this.provenance = parts.provenance
    this.requestId = parts.requestId
    this.input = parts.input
    this.idempotencyKey = parts.idempotencyKey
    this.fingerprintSource = parts.fingerprintSource
    this.traceId = parts.traceId
    this.response = response
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
