/** Cursors: where a page ended. Bound to the tenant and the list; they hold positions only, never a condition. */
import { createHash } from 'node:crypto'
import { WorkError } from '@work-manager/contract'
import { isCalendarTime } from './calendar-time.ts'

const boundTo = (tenantId: string, list: string): string =>
  createHash('sha256').update(`${tenantId} ${list}`).digest('base64url').slice(0, 12)

export function encodeCursor(tenantId: string, list: string, position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([boundTo(tenantId, list), ...position])).toString('base64url')
}

/** Refuses with: cursor_invalid (edited, of another list or another tenant). */
export function decodeCursor(
  tenantId: string,
  list: string,
  cursor: string,
  patterns: ReadonlyArray<{ test(text: string): boolean }>,
): string[] {
  try {
    const [bound, ...position] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[]
    const texts = position.map(String)
    if (bound === boundTo(tenantId, list) && texts.length === patterns.length && texts.every((text, n) => patterns[n]!.test(text)))
      return texts
  } catch {
    // Falls through to the one refusal: why it cannot be read tells nobody anything.
  }
  throw new WorkError('cursor_invalid')
}

/** Eighteen digits: more may not fit the database's bigint. */
export const positionPattern = /^\d{1,18}$/
export const instantPattern = { test: (text: string) => /^.{10}T.{8}\.\d{6}Z$/.test(text) && isCalendarTime(text) }
