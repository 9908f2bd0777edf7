/**
 * Handing in a result. The type's checks run here, before anything is locked; the move itself (leased or in progress → submitted, the
 * submission, the kept answer, the events) is `wm.submit_items` in migrations/routines/20_leases.sql, reached by hot-path/submit-batch.ts.
 */
import { secondsAfter } from '../../kernel/store/tx.ts'
import { ItemShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { submissionDigest } from '../approvals/digest.ts'
import type { SubmitAnswer } from '../hot-path/requests.ts'
import { topics } from '../topics.ts'
import { findAnswer } from '../../kernel/store/idempotency.ts'
import { askerOf, claimOf } from '../leases/asker.ts'
import { document, evidence, itemId, leaseToken, notes } from '../inputs.ts'
import type { Reply } from '../../kernel/operations/operation.ts'
import { defineOperation, type WorkContext } from '../tools.ts'
import { traceparentOf } from '../../kernel/operations/traces.ts'
import { lostLease } from '../leases/lost-lease.ts'
import { assertHolds } from './held-item.ts'
import { getType } from '../orders/planning.ts'
import { getItemBrief } from './item-brief.ts'
import { judge, refuseSubmission } from './judging.ts'
import { leaseRefusals } from '../leases/refusals.ts'
import { itemShown } from '../shown.ts'

/** The hot path's answer as a reply or a refusal; wakes whoever waits for a full order. */
async function replyOf(context: WorkContext, answer: SubmitAnswer, item: string, token: string | undefined): Promise<Reply> {
  const { signal } = context.tools
  switch (answer.kind) {
    case 'done':
      signal.wake(topics.events)
      if (answer.orderSubmitted) signal.wake(topics.submitted)
      return { status: 202, json: answer.body, keptUntil: secondsAfter(answer.decidedAt, context.tools.settings.idempotencyTtlSeconds) }
    case 'replay':
      return (await keptAnswer(context)) ?? { status: answer.status, json: answer.body, replayed: true }
    case 'mismatch':
      throw new WorkError('idempotency_mismatch')
    case 'in_flight':
      throw new WorkError('idempotency_in_progress', { retryAfterSeconds: 1 })
    case 'absent':
      throw new WorkError('not_found')
    default:
      throw await context.read((q) => lostLease(q, context.principal.tenantId, item, answer.seen, claimOf(context, token)))
  }
}

/** The answer of an earlier request with this key, and that it was this request; its own statement judges what is odd about it. */
async function keptAnswer(context: WorkContext): Promise<Reply | null> {
  const key = context.idempotency
  if (!key) return null
  const kept = await context.read((q) =>
    findAnswer(q, { principal: context.principal.name, operation: 'submit_item', keyHash: key.keyHash }),
  )
  if (!kept?.fingerprint.equals(key.fingerprint) || kept.status === null || kept.body === null) return null
  return { status: kept.status, json: kept.body, replayed: true, keptUntil: kept.expires_at }
}

/** null: the caller holds the item. Otherwise the answer that was given before, or the lease refusals. */
async function lookFirst(context: WorkContext, id: string, token: string | undefined): Promise<Reply | null> {
  try {
    await assertHolds(context, id, token)
    return null
  } catch (error) {
    const kept = error instanceof WorkError ? await keptAnswer(context) : null
    if (kept) return kept
    throw error
  }
}

export const submitItem = defineOperation({
  name: 'submit_item',
  summary: 'Hand in the result of an item, with evidence; it is verified before it is accepted.',
  http: { method: 'POST', path: '/items/:item/submit', success: 202 },
  ability: 'work:submit',
  rate: 'shed_last',
  idempotency: 'required',
  keepsOwnKeys: true,
  refuses: ['not_found', 'verification_failed', 'order_type_broke', ...leaseRefusals, 'idempotency_mismatch', 'idempotency_in_progress'],
  command: { words: 'items submit', example: '01890a5d-ac96-774b-bcce-b302099a8057 --lease-token wl.1.1.… --result @result.json' },
  tool: {
    name: 'work_submit',
    title: 'Hand in a result',
    shows: { item: { ...itemShown, submission_number: true }, state: true, order_state: true },
    advice: 'verification_failed: correct what errors names and submit again under the same lease, with a new idempotency_key.',
  },
  input: Type.Object({
    item: itemId,
    lease_token: leaseToken,
    result: document('The result, in the shape that the type asks for.'),
    evidence,
    notes,
  }),
  output: Type.Object({ item: ItemShape, state: Type.String(), order_state: Type.String() }),
  async handler(context, input) {
    const brief = await getItemBrief(context, input.item, input.lease_token)
    const handedIn = { result: input.result, evidence: input.evidence ?? null, notes: input.notes ?? null }
    // A gather reads the world, for seconds perhaps: not for somebody who holds nothing, and not again for what was answered.
    const looked = getType(context.tools, brief.type).gather === null ? null : await lookFirst(context, input.item, input.lease_token)
    if (looked) return looked
    const findings = await judge(context, brief, handedIn)
    // A request that passed once is answered from the record, even if its type or its evidence changed since.
    if (findings.length > 0 && !(await keptAnswer(context))) return refuseSubmission(context, input.item, input.lease_token, findings)
    await context.breathe()
    const digest = submissionDigest(handedIn)
    await context.breathe()
    const answer = await context.tools.hotPath.submit({
      ...askerOf(context),
      ...handedIn,
      traceparent: traceparentOf(context),
      itemId: input.item,
      token: input.lease_token ?? null,
      digest,
      assembledParts: null,
      idempotency: context.idempotency,
    })
    return replyOf(context, answer, input.item, input.lease_token)
  },
})
