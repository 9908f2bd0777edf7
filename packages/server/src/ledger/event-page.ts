/** A page of events as the answers show it. */
import { EventShape } from '@work-manager/contract'
import Type from 'typebox'
import { type CursorSeal, encodeCursor } from '../kernel/operations/cursor.ts'
import { PageBudget } from '../kernel/store/page-budget.ts'
import type { Queryable } from '../kernel/store/tx.ts'

type Numbered = { readonly seq: string; readonly json: string }

/** `{events, next_cursor}`; `read` reads one row more than a page holds. */
export async function eventPage(
  q: Queryable,
  { seal, list, size }: { readonly seal: CursorSeal; readonly list: string; readonly size: number },
  read: (q: Queryable) => Promise<Numbered[]>,
): Promise<{ status: number; json: string }> {
  const { rows: shown, more } = await new PageBudget().page(q, size, read)
  const next = more ? encodeCursor(seal, list, [shown.at(-1)!.seq]) : null
  return { status: 200, json: `{"events":[${shown.map((row) => row.json).join(',')}],"next_cursor":${JSON.stringify(next)}}` }
}
export const eventsOutput = Type.Object({ events: Type.Array(EventShape), next_cursor: Type.Union([Type.Null(), Type.String()]) })
