/**
 * Cursors: where a page ended. They hold positions of the caller's own tenant and nothing else, are signed with a key of that tenant, for one
 * list, and end: nobody makes one up, takes one elsewhere, or keeps one for ever.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { WorkError } from '@work-manager/contract'
import { LRUCache } from 'lru-cache'
import type { KernelTools } from '../tools.ts'
import { isCalendarTime } from './calendar-time.ts'

/** What the cursors of one tenant are signed with. */
export interface CursorSeal {
  readonly key: Buffer
}

const lifeSeconds = 24 * 3600
const macBytes = 16
const seals = new LRUCache<string, CursorSeal>({ max: 5_000 })

/** `secret`: of the database, so that every process knows it and no caller does. */
export function cursorSeal(secret: Buffer, tenantId: string): CursorSeal {
  const name = `${secret.toString('latin1')} ${tenantId}`
  let seal = seals.get(name)
  if (!seal) seals.set(name, (seal = { key: createHmac('sha256', secret).update(`cursors of ${tenantId}`).digest() }))
  return seal
}

export const sealOf = (context: {
  readonly tools: Pick<KernelTools, 'cursorSecret'>
  readonly principal: { readonly tenantId: string }
}): CursorSeal => cursorSeal(context.tools.cursorSecret, context.principal.tenantId)

const macOf = ({ key }: CursorSeal, list: string, body: string): Buffer =>
  createHmac('sha256', key).update(`${list}\n${body}`).digest().subarray(0, macBytes)

export function encodeCursor(seal: CursorSeal, list: string, position: readonly (string | number)[], now = Date.now()): string {
  const ends = Math.floor(now / 1000) + lifeSeconds
  const body = Buffer.from(JSON.stringify([ends, ...position])).toString('base64url')
  return `${body}.${macOf(seal, list, body).toString('base64url')}`
}

/** Refuses with: cursor_invalid (edited, made up, of another list or another tenant), cursor_expired. */
export function decodeCursor(
  seal: CursorSeal,
  list: string,
  cursor: string,
  patterns: ReadonlyArray<{ test(text: string): boolean }>,
  now = Date.now(),
): string[] {
  const [body = '', mac = ''] = cursor.split('.')
  const given = Buffer.from(mac, 'base64url')
  // One refusal for all of it: why it cannot be read tells nobody anything.
  if (given.length !== macBytes || !timingSafeEqual(given, macOf(seal, list, body))) throw new WorkError('cursor_invalid')
  const [ends, ...position] = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as unknown[]
  if (Number(ends) * 1000 < now)
    throw new WorkError('cursor_expired', { detail: `The cursor ended at ${new Date(Number(ends) * 1000).toISOString()}.` })
  const texts = position.map(String)
  if (texts.length !== patterns.length || !texts.every((text, n) => patterns[n]!.test(text))) throw new WorkError('cursor_invalid')
  return texts
}

/** Eighteen digits: more may not fit the database's bigint. */
export const positionPattern = /^\d{1,18}$/
export const instantPattern = { test: (text: string) => /^.{10}T.{8}\.\d{6}Z$/.test(text) && isCalendarTime(text) }
