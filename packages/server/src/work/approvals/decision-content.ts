/** What approve and apply look at: the order with its items, and the digest of exactly that. */
import { type Evidence, type FieldError, itemIs } from '@work-manager/contract'
import { type DecisionDocument, documentDigest } from './digest.ts'
import type { OrderType } from '../order-types/define-order-type.ts'
import type { ItemForDecision, OrderForDecision } from '../order-types/order-type.ts'
import { checkReadiness } from '../order-types/verify-submission.ts'
import { type DecisionItem, loadDecisionItems } from '../items/store.ts'
import type { OrderRow } from '../orders/store.ts'
import type { Queryable } from '../../kernel/store/tx.ts'

export interface DecisionContent {
  readonly order: OrderForDecision<unknown>
  readonly items: readonly ItemForDecision<unknown, unknown>[]
  readonly rows: readonly DecisionItem[]
  readonly digest: string
}

export async function loadDecisionContent(q: Queryable, tenantId: string, row: OrderRow): Promise<DecisionContent> {
  return contentWith(tenantId, row, await loadDecisionItems(q, row.id))
}

/** The same from the text in which a function of the database hands it out (`wm.order_content`). */
export function readDecisionContent(tenantId: string, text: string): { row: OrderRow; content: DecisionContent } {
  const { order: row, items } = JSON.parse(text) as { order: OrderRow; items: DecisionItem[] }
  return { row, content: contentWith(tenantId, row, items) }
}

function contentWith(tenantId: string, row: OrderRow, rows: readonly DecisionItem[]): DecisionContent {
  const { id, type, type_version: typeVersion, priority, payload, meta, revision } = row
  const document: DecisionDocument = {
    order: { id, tenantId, type, typeVersion, priority, payload, meta, revision },
    items: rows.filter((item) => itemIs.decidable(item.state)) as DecisionDocument['items'][number][] & DecisionItem[],
  }
  return { ...contentOf(document), rows, digest: documentDigest(document) }
}

/** Takes nothing but the document, so that whatever the type's code is given stands in the digest. */
function contentOf(document: DecisionDocument): Pick<DecisionContent, 'order' | 'items'> {
  return {
    order: document.order,
    items: document.items.map(({ id, ordinal, state, input, result, evidence }) => ({
      id,
      ordinal,
      state,
      input,
      result,
      evidence: (Array.isArray(evidence) ? evidence : []) as Evidence[],
    })),
  }
}

export const openItemsOf = (content: DecisionContent): number => content.rows.filter((item) => !itemIs.decidable(item.state)).length

/** The type's own readiness rule across items. Refuses with: TypeCrashed. */
export const readinessFindings = (type: OrderType, content: DecisionContent): readonly FieldError[] =>
  checkReadiness(type, content.order, content.items)
