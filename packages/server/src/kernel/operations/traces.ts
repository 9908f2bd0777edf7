/** Which trace a call belongs to: its caller's own, or else the one of the order or lease that it is about. */
import { leaseTraceparent } from '../../tracing/traceparent.ts'
import type { OperationContext } from './operation.ts'

/**
 * Continues (or is linked to) the trace of an order, or with `token` the one of a lease. Call it before the trace is asked for, that is,
 * before `actorOf`.
 */
export function follow(context: OperationContext, found: string | null, token?: string): void {
  const { trace } = context
  // Nothing is recorded here: what the proposer sent is passed on as it is.
  if (trace === null) context.traceparent ??= found
  else if (found !== null) trace.follow(token === undefined ? found : leaseTraceparent(found, token))
}

export function followOrder(
  context: OperationContext,
  order: { readonly id: string; readonly type: string; readonly traceparent: string | null },
): void {
  context.trace?.describe({ orderId: order.id, orderType: order.type })
  follow(context, order.traceparent)
}

/** The call's place in its trace, for events and rows. */
export const traceparentOf = (context: OperationContext): string | null => context.trace?.traceparent ?? context.traceparent
