import { ItemShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { submissionDigest } from '../../domain/digest.ts'
import { leaseRefusal } from '../../domain/leases.ts'
import { topics } from '../../signals/work-signal.ts'
import { findAnswer } from '../../store/idempotency.ts'
import { askerOf, claimOf } from '../actor.ts'
import { document, evidence, itemId, leaseToken, notes } from '../inputs.ts'
import { defineOperation, type OperationContext, type Reply } from '../operation.ts'
import { getItemBrief, judge, refuseSubmission } from './verification.ts'

export interface HandIn {
  readonly itemId: string
  readonly token: string | undefined
  readonly result: unknown
  readonly evidence: unknown
  readonly notes: string | null
  readonly assembledParts: number | null
}

/** An answer of the hot path as a reply; wakes whoever waits for a full order. */
export async function handIn(context: OperationContext, request: HandIn): Promise<{ reply: Reply; orderSubmitted: boolean }> {
  const { services } = context
  const answer = await services.hotPath.submit({
    ...askerOf(context),
    itemId: request.itemId,
    token: request.token ?? null,
    result: request.result,
    evidence: request.evidence,
    notes: request.notes,
    digest: submissionDigest(request),
    assembledParts: request.assembledParts,
    idempotency: request.assembledParts === null ? context.idempotency : null,
  })
  switch (answer.kind) {
    case 'done':
      services.signal.wake(topics.facts)
      if (answer.orderSubmitted) services.signal.wake(topics.submitted)
      return { reply: { status: 202, json: answer.body }, orderSubmitted: answer.orderSubmitted }
    case 'replay':
      return { reply: { status: answer.status, json: answer.body, replayed: true }, orderSubmitted: false }
    case 'mismatch':
      throw new WorkError('idempotency_mismatch')
    case 'in_flight':
      throw new WorkError('idempotency_in_progress', { retryAfterSeconds: 1 })
    case 'absent':
      throw new WorkError('not_found')
    case 'refused':
      throw leaseRefusal(answer.facts, claimOf(context, request.token))
  }
}

/** Refuses with: not_found, verification_failed, the lease refusals, already_submitted, idempotency_mismatch, idempotency_in_progress. */
export const submitItem = defineOperation({
  name: 'submit_item',
  summary: 'Hand in the result of an item, with evidence; it is verified before it is accepted.',
  http: { method: 'POST', path: '/items/:item/submit', success: 202 },
  ability: 'work:submit',
  idempotency: 'required',
  keepsOwnKeys: true,
  input: Type.Object({ item: itemId, lease_token: leaseToken, result: document('The result, in the shape that the type asks for.'), evidence, notes }),
  output: Type.Object({ item: ItemShape, state: Type.String(), order_state: Type.String() }),
  async handler(context, input) {
    const brief = await getItemBrief(context, input.item)
    const request = { itemId: input.item, token: input.lease_token, result: input.result, evidence: input.evidence ?? null, notes: input.notes ?? null, assembledParts: null }
    const findings = await judge(context, brief, request)
    if (findings.length > 0) {
      // A request that passed once is answered from the record, even if its type or its evidence changed since.
      const key = context.idempotency
      const kept = key && (await context.read((q) => findAnswer(q, { principal: context.principal.name, operation: 'submit_item', keyHash: key.keyHash })))
      if (!kept || !key || !kept.fingerprint.equals(key.fingerprint)) return refuseSubmission(context, input.item, input.lease_token, findings)
    }
    return (await handIn(context, request)).reply
  },
})
