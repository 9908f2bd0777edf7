/**
 * `00-<trace id>-<span id>-<flags>` (W3C Trace Context): how a trace travels in headers, in MCP `_meta`, in rows and in answers. A string, so
 * that passing it on costs nothing where no exporter is configured.
 */
import { createHash } from 'node:crypto'

const pattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/
const length = 55

/** What a caller sent; null when there is none or it is malformed: a bad trace context is ignored, never an error, as the standard asks. */
export function readTraceparent(sent: unknown): string | null {
  if (typeof sent !== 'string' || !pattern.test(sent)) return null
  if (sent.length === length) return sent.startsWith('00') ? sent : `00${sent.slice(2)}`
  // Only later versions may have more behind the flags, and they are read as the first one.
  return sent.startsWith('00') ? null : `00${sent.slice(2, length)}`
}

export const traceIdOf = (traceparent: string | null): string | null => traceparent && traceparent.slice(3, 35)
export const spanIdOf = (traceparent: string): string => traceparent.slice(36, 52)

/**
 * The span of a lease has an id that follows from its token, so that every process finds the parent of a heartbeat or a hand-in without a
 * look-up and without one more column. Hashed, because the token is a secret and span ids are not.
 */
export const leaseSpanId = (token: string): string => createHash('sha256').update(token).digest('hex').slice(0, 16)

/** The lease's place in the trace of its order. */
export const leaseTraceparent = (ofOrder: string, token: string): string =>
  `${ofOrder.slice(0, 36)}${leaseSpanId(token)}${ofOrder.slice(52)}`
