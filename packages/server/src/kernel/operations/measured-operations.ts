/** How long operations take and how they end, at whatever door: measured around the one runner that every door uses. */
import { errorCatalogue, type ErrorCode, WorkError } from '@work-manager/contract'
import type { Metrics } from '../../metrics/metrics.ts'
import { mayRefuseWith } from './refusals.ts'
import type { OperationRequest, OperationRunner } from './run-operation.ts'

/**
 * `waited`: the caller asked to wait for something (long poll), so the time is no sign of speed. `refused`: the caller's doing.
 * `unavailable`: worth repeating (busy, draining, database away). `failed`: a fault of the server.
 */
export const outcomes = ['ok', 'waited', 'refused', 'unavailable', 'failed'] as const
type Outcome = (typeof outcomes)[number]

const outcomeOf = (code: ErrorCode): Outcome => {
  const { status } = errorCatalogue[code]
  return status < 500 ? 'refused' : code === 'internal' ? 'failed' : 'unavailable'
}
const asksToWait = ({ input }: OperationRequest): boolean => Number(input['wait'] ?? 0) > 0

/** The trace id inside a checked traceparent: `00-<trace id>-…`. */
const traceOf = ({ traceparent }: OperationRequest): string | null => traceparent?.slice(3, 35) ?? null

/** Told when an operation refuses with a code that neither it nor any reference names. */
export type UnlistedRefusal = (operation: string, code: ErrorCode) => void

export function measured(metrics: Metrics, run: OperationRunner, unlisted: UnlistedRefusal): OperationRunner {
  return async (operation, request) => {
    const startedAt = performance.now()
    let outcome: Outcome = 'ok'
    // A call that was one too many is not read: that is what refusing it is for.
    let unread = false
    try {
      return await run(operation, request)
    } catch (error) {
      const code = error instanceof WorkError ? error.code : 'internal'
      outcome = outcomeOf(code)
      if (!mayRefuseWith(operation, code)) unlisted(operation.name, code)
      unread = code === 'rate_limited'
      metrics.increment('refusals_total', { code })
      throw error
    } finally {
      if (!unread && (outcome === 'ok' || outcome === 'refused') && asksToWait(request)) outcome = 'waited'
      const seconds = (performance.now() - startedAt) / 1000
      metrics.observe('request_duration_seconds', { operation: operation.name, outcome }, seconds, traceOf(request))
    }
  }
}
