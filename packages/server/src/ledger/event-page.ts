/** A page of events as the answers show it. */
import { EventShape } from '@work-manager/contract'
import Type from 'typebox'
import { encodeCursor } from '../kernel/operations/cursor.ts'

type Page = ReadonlyArray<{ seq: string; json: string }>

/** `{events, next_cursor}` from one row more than a page holds. */
export function eventPage(tenantId: string, list: string, rows: Page, size: number): { status: number; json: string } {
  const shown = rows.slice(0, size)
  const next = rows.length > size ? encodeCursor(tenantId, list, [shown.at(-1)!.seq]) : null
  return { status: 200, json: `{"events":[${shown.map((row) => row.json).join(',')}],"next_cursor":${JSON.stringify(next)}}` }
}
export const eventsOutput = Type.Object({ events: Type.Array(EventShape), next_cursor: Type.Union([Type.Null(), Type.String()]) })
