/**
 * What other systems may use of the work-order system, and all that they see of it (.dependency-cruiser.mjs): propose an order in
 * their own transaction, find one, decide one, follow one to its end.
 */
import { brokeType, TypeCrashed } from './order-types/type-crashed.ts'
import { countdown } from '../kernel/countdown.ts'
import { orderIs, type OrderState, WorkError } from '@work-manager/contract'
import type { Actor } from '../kernel/store/events.ts'
import type { Queryable, Tx } from '../kernel/store/tx.ts'
import { decideApproval, type DecidingKey } from './approvals/approving.ts'
import { loadDecisionContent, readinessFindings } from './approvals/decision-content.ts'
import { assertPayload, getType, planOrder } from './orders/planning.ts'
import { newOrderId, type Proposal, writeProposal } from './orders/proposing.ts'
import { findOrder as findRow } from './orders/store.ts'
import type { WorkTools } from './tools.ts'
import { topics } from './topics.ts'

export type { WorkTools } from './tools.ts'

export interface OrderToPropose {
  readonly type: string
  readonly payload: unknown
  readonly meta?: Record<string, unknown> | null
  readonly priority?: number
}
/** Checked and planned, not written yet. */
export interface PreparedOrder extends Proposal {
  readonly id: string
}
export interface OrderSeen {
  readonly id: string
  readonly type: string
  readonly state: OrderState
}

/**
 * Checks the payload and plans the items. Runs the code of the order type, so before the transaction.
 * Refuses with: order_type_not_found, payload_invalid, empty_plan, plan_failed.
 */
export async function prepareOrder(tools: WorkTools, wanted: OrderToPropose, traceparent: string | null = null): Promise<PreparedOrder> {
  const { payload, meta = null, priority = 0 } = wanted
  const type = getType(tools, wanted.type)
  await assertPayload(type, payload)
  return { id: newOrderId(), type, payload, meta, priority, traceparent, items: await planOrder(tools, type, { payload, meta }) }
}

/** Writes a prepared order in the caller's transaction: it is there when that commits, and only then. */
export const proposeOrder = (tx: Tx, tools: WorkTools, actor: Actor, prepared: PreparedOrder): Promise<void> =>
  writeProposal(tx, tools, actor, prepared)

/** After the commit: tells agents who wait that there are items. */
export const wakeAgents = (tools: WorkTools, tenantId: string): void => tools.signal.wake(topics.ready(tenantId))

export async function findOrder(q: Queryable, id: string): Promise<OrderSeen | undefined> {
  const row = await findRow(q, id)
  return row && { id: row.id, type: row.type, state: row.state }
}

export interface OrderDecision {
  readonly orderId: string
  readonly actor: Actor
  readonly decider: DecidingKey
  /** What the decider looked at. */
  readonly digest: string
}

/**
 * Approves exactly what the digest names, under the same duties as `approve_order`; the applier takes it from there.
 * Refuses with: not_found, content_changed, not_ready_for_approval, illegal_state_transition, agents_cannot_decide, separation_of_duties,
 * order_type_broke.
 */
export async function approveOrder(tools: WorkTools, tenantId: string, decision: OrderDecision): Promise<void> {
  const { row, content } = await tools.db.read(tenantId, async (q) => {
    const found = await findRow(q, decision.orderId)
    if (!found) throw new WorkError('not_found')
    return { row: found, content: await loadDecisionContent(q, tenantId, found) }
  })
  const type = getType(tools, row.type)
  let findings: ReturnType<typeof readinessFindings> = []
  try {
    if (row.state === 'submitted') findings = readinessFindings(type, content)
  } catch (error) {
    throw error instanceof TypeCrashed ? brokeType(error, 'nothing was decided') : error
  }
  await tools.db.transaction(tenantId, (tx) =>
    decideApproval(tx, type, { ...decision, traceparent: row.traceparent }, { content, findings }),
  )
  tools.signal.wake(topics.approved)
}

/** The order once it is settled, or as it stands after `ms`; undefined when there is none. */
export async function followOrder(
  tools: WorkTools,
  tenantId: string,
  id: string,
  ms: number,
  signal?: AbortSignal,
): Promise<OrderSeen | undefined> {
  const leftMs = countdown(ms)
  for (;;) {
    const order = await tools.db.read(tenantId, (q) => findOrder(q, id))
    const left = leftMs()
    if (!order || orderIs.settled(order.state) || left <= 0 || signal?.aborted) return order
    await tools.signal.wait(topics.settled(id), Math.min(left, 500), signal)
  }
}
