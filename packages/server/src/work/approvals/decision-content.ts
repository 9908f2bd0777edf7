/** What approve and apply look at: the order with its items, and the digest of exactly that. */
import { type Evidence, type FieldError, itemIs } from '@work-manager/contract'
import { orderDigest } from './digest.ts'
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
  const rows = await loadDecisionItems(q, row.id)
  const decided = rows.filter((item) => itemIs.decidable(item.state))
  return {
    order: { id: row.id, tenantId, type: row.type, priority: row.priority, payload: row.payload, meta: row.meta, revision: row.revision },
    items: decided.map((item) => ({
      id: item.id,
      ordinal: item.ordinal,
      state: item.state as 'submitted' | 'dead_lettered',
      input: item.input,
      result: item.result,
      evidence: (Array.isArray(item.evidence) ? item.evidence : []) as Evidence[],
    })),
    rows,
    digest: orderDigest({
      id: row.id,
      type: row.type,
      typeVersion: row.type_version,
      revision: row.revision,
      payload: row.payload,
      items: decided.map((item) => ({
        id: item.id,
        ordinal: item.ordinal,
        state: item.state,
        input: item.input,
        submission: item.state === 'submitted' ? { result: item.result, evidence: item.evidence, notes: item.notes } : null,
      })),
    }),
  }
}

export const openItemsOf = (content: DecisionContent): number => content.rows.filter((item) => !itemIs.decidable(item.state)).length

/** The type's own readiness rule across items. Refuses with: TypeCrashed. */
export const readinessFindings = (type: OrderType, content: DecisionContent): readonly FieldError[] =>
  checkReadiness(type, content.order, content.items)
