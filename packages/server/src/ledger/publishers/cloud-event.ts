/** An event of the ledger as a CloudEvent 1.0 in structured JSON (docs/publishers.md has the table). */
import type { LedgerEvent } from './cursors.store.ts'
import type { Message } from './publisher.ts'

export const typeOf = (kind: string): string => `dev.workmanager.${kind}.v1`

/** Sequences compare as text: nineteen digits hold every bigint. */
const sequence = (seq: number): string => String(seq).padStart(19, '0')
const w3cTraceId = /^(?!0{32})[0-9a-f]{32}$/

/**
 * The trace of the request that caused the event. The record keeps the trace, not the span; the first half of the event's id stands in for
 * it, so that the header is valid and the receiver's spans join the trace.
 */
const traceparent = (traceId: string | null, id: string): string | undefined =>
  traceId !== null && w3cTraceId.test(traceId) ? `00-${traceId}-${id.replaceAll('-', '').slice(0, 16)}-01` : undefined

/** `data` is the text that the database rendered, byte for byte: a JSON reader would change numbers. */
export function toMessage(tenantId: string, source: string, event: LedgerEvent): Message {
  const key = event.root_id ?? tenantId
  const type = typeOf(event.kind)
  const head = JSON.stringify({
    specversion: '1.0',
    id: event.id,
    source,
    type,
    subject: event.subject_id ?? event.root_id ?? undefined,
    time: event.decided_at,
    datacontenttype: 'application/json',
    sequence: sequence(event.seq),
    partitionkey: key,
    correlationid: event.correlation_id ?? event.request_id ?? undefined,
    causationid: event.causation_id ?? undefined,
    traceparent: traceparent(event.trace_id, event.id),
    tenantid: tenantId,
  })
  return { tenantId, seq: event.seq, id: event.id, kind: event.kind, type, key, body: `${head.slice(0, -1)},"data":${event.json}}` }
}
