/** The decision itself, shared by people (approve-order.ts) and the auto-approver. */
import { WorkError } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import { assertMayApprove, assertReadyForApproval, type Decider } from './decide.ts'
import type { OrderType } from '../order-types/define-order-type.ts'
import { appendDecision, approveAsSeen, type OrderToJudge } from './store.ts'
import { type Actor, appendEvents, ofOrder, secondsBetween } from '../../kernel/store/events.ts'
import { findOneHand } from '../../access/api.ts'
import { findWorkers } from '../items/store.ts'
import { lockOrder, moveOrder, type OrderRow } from '../orders/store.ts'
import type { HeldKey } from '../../kernel/operations/operation.ts'
import type { Db, Tx } from '../../kernel/store/tx.ts'
import { documentFormat } from './digest.ts'
import { type DecisionContent, loadDecisionContent, openItemsOf } from './decision-content.ts'

export interface DecidingKey extends Decider {
  /** The key that decides; null: inside the process. */
  readonly keyId: string | null
}

export interface Approval {
  readonly orderId: string
  readonly actor: Actor
  readonly decider: DecidingKey
  /** What the approver looked at; null when the approver did not say (then: what is there now). */
  readonly digest: string | null
  readonly policy?: unknown
  readonly traceparent: string | null
}

/**
 * Binds a decision to the digest of exactly what will be applied. `judged` is the content for which `canApprove` was asked, outside any
 * transaction; if the order is something else by now, nothing is decided.
 * Refuses with: not_found, content_changed, not_ready_for_approval, illegal_state_transition, agents_cannot_decide, separation_of_duties.
 */
export async function decideApproval(
  tx: Tx,
  type: OrderType,
  approval: Approval,
  judged: { content: DecisionContent; findings: Parameters<typeof assertReadyForApproval>[2] },
): Promise<void> {
  const row = await lockOrder(tx, approval.orderId)
  if (!row) throw new WorkError('not_found')
  const content = await loadDecisionContent(tx, tx.tenantId, row)
  assertReadyForApproval(row.state, openItemsOf(content), judged.findings)
  const seen = approval.digest ?? judged.content.digest
  if (seen !== content.digest)
    throw new WorkError('content_changed', {
      detail: 'The order holds something else than what was looked at.',
      extra: { digest: content.digest },
    })
  const workers = await findWorkers(tx, row.id)
  const hands =
    approval.decider.kind === 'person'
      ? await findOneHand(tx, approval.decider, [row.requested_by_principal, ...workers.submittedBy, ...workers.heldBy])
      : null
  assertMayApprove(approval.decider, {
    proposedBy: row.requested_by_principal,
    ...workers,
    ...(hands && { makersOfKey: hands.makers, madeByDecider: hands.made }),
    selfApproval: type.duties.selfApproval,
  })
  const at = await tx.clock()
  const id = uuidv7()
  const actorType = approval.actor.actorType === 'system' ? 'system' : 'user'
  await appendDecision(
    tx,
    {
      id,
      orderId: row.id,
      revision: row.revision,
      decision: 'approved',
      digest: content.digest,
      actorType,
      actorId: approval.actor.actorId,
      principal: approval.actor.principal,
      policy: approval.policy,
      traceparent: approval.traceparent,
    },
    at,
  )
  await moveOrder(tx, row.id, 'submitted', 'approved', at, { approvalId: id, lastApplyError: null })
  await appendEvents(tx, approval.actor, at, [
    {
      kind: 'order.approved',
      // What follows from the decision names it as its cause.
      id,
      ...ofOrder(row),
      seconds: secondsBetween(row.created_at, at),
      payload: { approval_id: id, digest: content.digest, revision: row.revision, document: documentFormat },
    },
  ])
}

/** What was read before any lock (`readOrderToJudge`); `seen` is the SHA-256 of its text. */
export interface Judged extends Pick<OrderToJudge, 'submitted_by' | 'held_by' | 'makers' | 'made'> {
  readonly row: OrderRow
  readonly content: DecisionContent
  readonly findings: Parameters<typeof assertReadyForApproval>[2]
  readonly seen: Buffer
}

/**
 * The same decision in one round trip. It is made on what was read, and stands only if the order is, under its lock, byte for byte that:
 * no other content, not another stay in its state. False: nothing happened, and `decideApproval` says why.
 */
export async function decideAsSeen(
  db: Db,
  tenantId: string,
  type: OrderType,
  { orderId, actor, decider, digest: asked, traceparent }: Omit<Approval, 'policy'>,
  { row, content, findings, seen, submitted_by: submittedBy, held_by: heldBy, makers, made }: Judged,
  key: HeldKey,
): Promise<boolean> {
  if (asked !== null && asked !== content.digest) return false
  assertReadyForApproval(row.state, openItemsOf(content), findings)
  assertMayApprove(decider, {
    proposedBy: row.requested_by_principal,
    submittedBy,
    heldBy,
    makersOfKey: makers,
    madeByDecider: made,
    selfApproval: type.duties.selfApproval,
  })
  const id = uuidv7()
  const { digest } = content
  const payload = { approval_id: id, digest, revision: row.revision, document: documentFormat }
  return approveAsSeen(db, tenantId, { id, orderId, digest, traceparent, seen, payload }, actor, key)
}
