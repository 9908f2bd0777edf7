/** Hand-ins of a tenant share one `wm.submit_items`; finalize runs the same statement inside its own transaction. */
import { WorkError } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import { statementOf } from '../../kernel/store/statement-text.ts'
import type { Tx } from '../../kernel/store/tx.ts'
import { asBatch } from './batch-span.ts'
import { createBatcher } from '../../kernel/batching/batcher.ts'
import type { SubmitAnswer, SubmitRequest } from './requests.ts'
import { type BatchContext, bySlot, leaseSeen, type LeaseRow, leaseSlot, type RunQuery } from './slots.ts'

type Row = LeaseRow & { slot: number; verdict: string; status: number; body: string; order_id: string; order_submitted: boolean }

function answerOf(row: Row | undefined): SubmitAnswer {
  switch (row?.verdict) {
    case undefined:
      return { kind: 'absent' }
    case 'done':
      return { kind: 'done', body: row.body, orderId: row.order_id, orderSubmitted: row.order_submitted, decidedAt: row.decided_at }
    case 'replay':
      return { kind: 'replay', status: row.status, body: row.body }
    case 'mismatch':
      return { kind: 'mismatch' }
    case 'in_flight':
      return { kind: 'in_flight' }
    case 'refused':
      return { kind: 'refused', seen: leaseSeen(row) }
    default:
      throw new WorkError('internal', { detail: 'unknown verdict of submit_items' })
  }
}

async function submitAll(query: RunQuery, idempotencyTtlSeconds: number, requests: readonly SubmitRequest[]): Promise<SubmitAnswer[]> {
  const slots = requests.map((request, slot) => ({
    slot,
    ...leaseSlot(request),
    submission_id: uuidv7(),
    traceparent: request.traceparent,
    result: request.result,
    evidence: request.evidence,
    notes: request.notes,
    digest: request.digest,
    assembled_parts: request.assembledParts,
    key_hash: request.idempotency?.keyHash.toString('hex') ?? null,
    fingerprint: request.idempotency?.fingerprint.toString('hex') ?? null,
  }))
  const rows = await query<Row>('submit_items', 'select * from wm.submit_items($1, $2, $3)', [
    requests[0]!.tenantId,
    idempotencyTtlSeconds,
    JSON.stringify(slots),
  ])
  return bySlot(requests.length, rows, answerOf)
}

/** The same hand-in as part of a transaction of the caller (finalize), whose own key guards it. */
export async function submitWithin(tx: Tx, request: SubmitRequest): Promise<SubmitAnswer> {
  const [answer] = await submitAll((name, text, values) => tx.query(statementOf(text, values), name), 0, [request])
  if (answer!.kind === 'done') tx.changedLeases.push(request.itemId)
  return answer!
}

export function batchedSubmits(
  { query, hints, tracing, batching }: BatchContext,
  options: { readonly idempotencyTtlSeconds: number },
): (request: SubmitRequest) => Promise<SubmitAnswer> {
  return createBatcher<SubmitRequest, SubmitAnswer>({
    ...batching,
    lane: (r) => r.tenantId,
    conflict: (r) => r.itemId,
    async run(requests) {
      const answers = await asBatch(tracing, {
        statement: 'submit_items',
        requests,
        run: () => submitAll(query, options.idempotencyTtlSeconds, requests),
      })
      const ended = requests.filter((_, n) => answers[n]!.kind === 'done').map((request) => request.itemId)
      if (hints && ended.length > 0) await hints.changed(requests[0]!.tenantId, ended)
      return answers
    },
  })
}
