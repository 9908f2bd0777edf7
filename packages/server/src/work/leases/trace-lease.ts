/** The grant of a lease as a span in the trace of its order: what the agent does under the lease continues it, wherever it is heard. */
import { attributesOf } from '../../tracing/attributes.ts'
import type { OperationTrace } from '../../tracing/operation-trace.ts'
import { leaseSpanId, leaseTraceparent, traceIdOf } from '../../tracing/traceparent.ts'

interface Granted {
  readonly id: string
  readonly order_id: string
  readonly type: string
  readonly lease_token: string
  readonly attempt: number
  readonly traceparent: string | null
}

/** The member is the last one; what agents and proposers wrote stands before it. */
const placeInOrder = /"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"\}$/

/** The `item` of a checkout's answer with the lease's place in the trace instead of the order's. */
export function traceLease(trace: OperationTrace, json: string): string {
  const item = JSON.parse(json) as Granted
  const about = { itemId: item.id, orderId: item.order_id, orderType: item.type }
  trace.describe(about)
  if (item.traceparent === null) return json
  trace.follow(item.traceparent)
  const ofCheckout = trace.traceparent
  const isOneTrace = traceIdOf(ofCheckout) === traceIdOf(item.traceparent)
  trace.tracing
    .start('lease', {
      parent: isOneTrace ? ofCheckout : item.traceparent,
      links: isOneTrace ? [] : [ofCheckout],
      spanId: leaseSpanId(item.lease_token),
      attributes: attributesOf({ ...about, attempt: item.attempt }),
    })
    .end()
  return json.replace(placeInOrder, `"${leaseTraceparent(item.traceparent, item.lease_token)}"}`)
}
