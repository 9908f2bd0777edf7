/**
 * The record proves what was said; this proves that what it speaks of is still that: results and decisions have the digests of their events,
 * decided orders and the documents they wrote are what was decided and written. Nothing trusts a stored digest that it did not compute.
 */
import type { Queryable } from '../../kernel/store/tx.ts'
import { digestOfDecided } from '../approvals/decision-content.ts'
import { digestOf, documentFormat, submissionDigest } from '../approvals/digest.ts'
import { findOrder } from '../orders/store.ts'
import { isWrittenLater, readDecisions, readDocument, readResults, type SaidOfOrder } from './store.ts'

export const contentDamages = {
  result_missing: 'the submission that the event speaks of is gone',
  result_changed: 'the submission is not the one that was handed in',
  decision_missing: 'the decision that the event speaks of is gone',
  decision_changed: 'the decision has another digest than its event',
  order_changed: 'the order and its results are not what was approved',
  document_missing: 'a document that the order wrote is gone, and no later order says so',
  document_changed: 'a document is not what the order wrote',
} as const
export type ContentDamage = keyof typeof contentDamages

export interface ContentFinding {
  readonly seq: number
  readonly damage: ContentDamage
  readonly detail: string
}

const found = (seq: string, damage: ContentDamage, what: string): ContentFinding => ({
  seq: Number(seq),
  damage,
  detail: `${contentDamages[damage]}: ${what}`,
})
/** Results of a megabyte each are looked at like small ones. */
const atOnce = 20

/** The first thing in the events `after < seq <= through` that is not what they say; null: all of it holds. Runs in a read of the tenant. */
export async function checkContent(
  q: Queryable,
  tenantId: string,
  range: { after: number; through: number },
): Promise<ContentFinding | null> {
  const findings = [await checkResults(q, range), await checkOrders(q, tenantId, range)].filter((one) => one !== null)
  return findings.toSorted((a, b) => a.seq - b.seq)[0] ?? null
}

async function checkResults(q: Queryable, { after, through }: { after: number; through: number }): Promise<ContentFinding | null> {
  for (let from = after; ;) {
    const rows = await readResults(q, { after: from, through }, atOnce)
    for (const { seq, item_id, said, kept, ...handedIn } of rows) {
      // An event from before results had digests covers nothing.
      if (said === null) continue
      if (kept === null) return found(seq, 'result_missing', `item ${item_id}`)
      if (kept !== said || submissionDigest(handedIn) !== said) return found(seq, 'result_changed', `item ${item_id}`)
    }
    if (rows.length < atOnce) return null
    from = Number(rows.at(-1)!.seq)
  }
}

async function checkOrders(
  q: Queryable,
  tenantId: string,
  { after, through }: { after: number; through: number },
): Promise<ContentFinding | null> {
  for (let from = after; ;) {
    const rows = await readDecisions(q, { after: from, through }, atOnce)
    for (const row of rows) {
      const finding = row.kind === 'order.approved' ? await checkDecision(q, tenantId, row) : await checkDocuments(q, row)
      if (finding) return finding
    }
    if (rows.length < atOnce) return null
    from = Number(rows.at(-1)!.seq)
  }
}

async function checkDecision(
  q: Queryable,
  tenantId: string,
  { seq, order_id: id, payload, decided }: SaidOfOrder,
): Promise<ContentFinding | null> {
  if (decided === null) return found(seq, 'decision_missing', `order ${id}`)
  if (decided !== payload?.digest) return found(seq, 'decision_changed', `order ${id}`)
  // Digests of earlier versions are of another document.
  if (payload.document !== documentFormat) return null
  const order = await findOrder(q, id)
  if (!order || order.approval_id !== payload.approval_id) return null
  return (await digestOfDecided(q, tenantId, order)) === decided ? null : found(seq, 'order_changed', `order ${id}`)
}

async function checkDocuments(q: Queryable, { seq, order_id: id, payload }: SaidOfOrder): Promise<ContentFinding | null> {
  for (const { collection, key, digest } of payload?.documents ?? []) {
    const now = await readDocument(q, collection, key)
    const what = `${collection}/${key} of order ${id}`
    // Written by another order since: that one's event speaks of it.
    if (now && now.order_id !== id) {
      if (await isWrittenLater(q, seq, collection, key)) continue
      return found(seq, 'document_changed', what)
    }
    if (now && digest !== null && digestOf(now.value) === digest) continue
    if (!now && digest === null) continue
    if (!(await isWrittenLater(q, seq, collection, key))) return found(seq, now ? 'document_changed' : 'document_missing', what)
  }
  return null
}
