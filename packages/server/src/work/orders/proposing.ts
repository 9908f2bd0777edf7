/** Writing a proposed order with its planned items and events: the one way in, for callers, generators and other systems. */
import { uuidv7 } from 'uuidv7'
import type { Actor } from '../../kernel/store/events.ts'
import type { Tx } from '../../kernel/store/tx.ts'
import type { NewItem } from '../items/store.ts'
import type { OrderType } from '../order-types/define-order-type.ts'
import type { WorkTools } from '../tools.ts'
import { insertOrders, type NewOrder } from './store.ts'

export interface Proposal {
  readonly type: OrderType
  readonly payload: unknown
  readonly meta: Record<string, unknown> | null
  readonly priority: number
  /** Planned before the transaction began (planning.ts), because a plan is user code; empty: the order is planned later. */
  readonly items: readonly NewItem[]
  readonly traceparent: string | null
  /** Stands with the event. */
  readonly message?: string
}

/** A new order id, for callers that name it before it is written. */
export const newOrderId = (): string => uuidv7()

/** How many seconds earlier a priority makes an item due; waiting makes up for it, so nothing waits for ever. */
export const dueEarly = (tools: Pick<WorkTools, 'settings'>, priority: number): number => priority * tools.settings.ageingSeconds

/** The order as it is written. Its story begins here: every later event of the order and its items belongs to it. */
export const newOrderOf = (
  tools: Pick<WorkTools, 'settings'>,
  actor: Actor,
  { id, type, payload, meta, priority, items, traceparent, message }: Proposal & { readonly id: string },
): NewOrder => ({
  id,
  type: type.type,
  type_version: type.version,
  priority,
  payload,
  meta,
  on_item_failure: type.onItemFailure,
  items_total: items.length,
  items,
  due_early: dueEarly(tools, priority),
  traceparent,
  correlation_id: actor.correlationId ?? uuidv7(),
  session_key: actor.sessionKey,
  actor_type: actor.actorType,
  actor_id: actor.actorId,
  principal: actor.principal,
  request_id: actor.requestId,
  trace_id: actor.traceId,
  provenance_id: actor.provenanceId,
  message,
})

export const payloadShapeOf = (type: OrderType): unknown => type.validators.payload.jsonSchema

/** Writes order, items and events. The caller has looked at pauses and keys under its own locks. */
export async function writeProposal(
  tx: Tx,
  tools: Pick<WorkTools, 'settings'>,
  actor: Actor,
  proposal: Proposal & { readonly id: string },
): Promise<void> {
  const { type } = proposal
  await insertOrders(tx, [newOrderOf(tools, actor, proposal)], { [type.type]: payloadShapeOf(type) }, await tx.clock())
}
