/** Writing a proposed order with its planned items and events: the one way in, for callers, generators and other systems. */
import { uuidv7 } from 'uuidv7'
import { type Actor, appendEvents, ofOrder } from '../../kernel/store/events.ts'
import type { Tx } from '../../kernel/store/tx.ts'
import { insertItems, type NewItem } from '../items/store.ts'
import type { OrderType } from '../order-types/define-order-type.ts'
import type { WorkTools } from '../tools.ts'
import { insertOrder } from './store.ts'

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

/** Writes order, items and events. The caller has looked at pauses and keys under its own locks. */
export async function writeProposal(
  tx: Tx,
  tools: Pick<WorkTools, 'settings'>,
  actor: Actor,
  { id, type, payload, meta, priority, items, traceparent, message }: Proposal & { readonly id: string },
): Promise<void> {
  // Its story begins here: every later event of the order and its items belongs to it.
  const order = {
    id,
    type: type.type,
    priority,
    traceparent,
    correlation_id: actor.correlationId ?? uuidv7(),
    session_key: actor.sessionKey,
  }
  const at = await tx.clock()
  await insertOrder(
    tx,
    {
      ...order,
      correlationId: order.correlation_id,
      sessionKey: order.session_key,
      typeVersion: type.version,
      requestedByType: actor.actorType,
      requestedById: actor.actorId,
      principal: actor.principal,
      payload,
      meta,
      acceptanceConfig: type.validators.payload.jsonSchema,
      onItemFailure: type.onItemFailure,
      itemsTotal: items.length,
    },
    at,
  )
  if (items.length > 0) await insertItems(tx, order, items, at, tools.settings.ageingSeconds)
  await appendEvents(tx, actor, at, [
    { kind: 'order.proposed', ...ofOrder(order), payload, message },
    ...(items.length > 0 ? [{ kind: 'order.planned' as const, ...ofOrder(order), payload: { item_count: items.length } }] : []),
  ])
}
