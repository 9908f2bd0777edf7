/** What approve and apply look at: the order with its items, and the digest of exactly that. */
import { type Evidence, type FieldError, itemIs, WorkError } from '@work-manager/contract'
import { type DecisionDocument, digestOfMembers, documentDigest, membersOf } from './digest.ts'
import type { OrderType } from '../order-types/define-order-type.ts'
import type { ItemForDecision, OrderForDecision } from '../order-types/order-type.ts'
import { checkReadiness } from '../order-types/verify-submission.ts'
import { assertOrderFits, type DecisionItem, loadDecisionItems, sizeDecisionItems } from '../items/store.ts'
import type { OrderRow } from '../orders/store.ts'
import type { Queryable } from '../../kernel/store/tx.ts'
import { type ShownMembers, shownMembers } from './shown-members.ts'

export interface DecisionContent {
  readonly order: OrderForDecision<unknown>
  readonly items: readonly ItemForDecision<unknown, unknown>[]
  readonly rows: readonly DecisionItem[]
  readonly digest: string
}

/** Refuses with: order_too_large. */
export async function loadDecisionContent(q: Queryable, tenantId: string, row: OrderRow): Promise<DecisionContent> {
  await refusingLarge(() => assertOrderFits(q, row.id))
  return contentWith(tenantId, row, await loadDecisionItems(q, row.id))
}

/** The same from the text in which a function of the database hands it out (`wm.order_content`). */
export function readDecisionContent(tenantId: string, text: string): { row: OrderRow; content: DecisionContent } {
  const { order: row, items } = JSON.parse(text) as { order: OrderRow; items: DecisionItem[] }
  return { row, content: contentWith(tenantId, row, items) }
}

/** Refuses with: order_too_large, where the database says so. */
export async function refusingLarge<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof Error && (error as { constraint?: string }).constraint === 'order_too_large')
      throw new WorkError('order_too_large', { detail: `${error.message}.`.replace(/^t/, 'T') }, { cause: error })
    throw error
  }
}

/** Read at a time to hash it: some 20 ms. One item alone may be larger. */
const hashedAtOnce = 512 * 1024

/** The digest, and what it is made of: items are read and hashed some at a time, in turns with other requests, and none of their documents is kept. */
export async function readDigest(
  q: Queryable,
  tenantId: string,
  row: OrderRow,
  asIt: (item: DecisionItem) => DecisionItem = (item) => item,
): Promise<{ digest: string; members: ShownMembers }> {
  const items: { id: string; ordinal: number; members: Record<string, string> }[] = []
  for (const range of inRanges(await sizeDecisionItems(q, row.id)))
    for (const item of (await loadDecisionItems(q, row.id, range)).map(asIt))
      if (itemIs.decidable(item.state)) items.push({ id: item.id, ordinal: item.ordinal, members: membersOf(item) })
  const order = membersOf(orderPart(tenantId, row))
  const hashed = items.map(({ members }) => members)
  return { digest: digestOfMembers(order, hashed), members: shownMembers(order, items) }
}

/** The digest of a decided order as it stands now: what was applied is to be what was decided. */
export const digestOfDecided = async (q: Queryable, tenantId: string, row: OrderRow): Promise<string> =>
  (
    await readDigest(q, tenantId, row, (item) =>
      item.state === 'accepted' || item.state === 'completed' ? { ...item, state: 'submitted' } : item,
    )
  ).digest

/** The members of what is decided on, as they are compared with what somebody was shown. */
export const membersOfContent = ({ order, rows }: DecisionContent): ShownMembers =>
  shownMembers(
    membersOf(order),
    rows.filter((item) => itemIs.decidable(item.state)).map((item) => ({ id: item.id, ordinal: item.ordinal, members: membersOf(item) })),
  )

function inRanges(sizes: readonly { ordinal: number; bytes: number }[]): { from: number; through: number }[] {
  const ranges: { from: number; through: number }[] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const { ordinal, bytes: more } of sizes) {
    bytes += more
    if (bytes > hashedAtOnce) {
      ranges.push({ from: ordinal, through: ordinal })
      bytes = more
    } else ranges.at(-1)!.through = ordinal
  }
  return ranges
}

function orderPart(tenantId: string, row: OrderRow): DecisionDocument['order'] {
  const { id, type, type_version: typeVersion, priority, payload, meta, revision } = row
  return { id, tenantId, type, typeVersion, priority, payload, meta, revision }
}

function contentWith(tenantId: string, row: OrderRow, rows: readonly DecisionItem[]): DecisionContent {
  const document: DecisionDocument = {
    order: orderPart(tenantId, row),
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
