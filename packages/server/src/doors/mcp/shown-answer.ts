/** What of an answer is shown: what the tool's operation says a model needs, or one member of it, piece by piece. */
import { type FieldError, nearestName, WorkError } from '@work-manager/contract'
import type { Shown } from '../../kernel/operations/operation.ts'
import type { View } from './arguments.ts'
import { answerTokens, fitted, textTokens } from './fit-answer.ts'

/** The members that `shown` names; null says nothing that leaving out does not say. */
export function project(value: unknown, shown: Shown, now: number): unknown {
  if (Array.isArray(value)) return value.map((one) => project(one, shown, now))
  if (typeof value !== 'object' || value === null) return value
  const object = value as Readonly<Record<string, unknown>>
  const kept: Record<string, unknown> = {}
  for (const [name, inner] of Object.entries(shown)) {
    if (inner === undefined) continue
    if (name === 'age_seconds') {
      const made = Date.parse(String(object['created_at']))
      // How old it looks from here: nothing is decided by it.
      if (!Number.isNaN(made)) kept[name] = Math.max(0, Math.round((now - made) / 1000))
    } else if (object[name] !== undefined && object[name] !== null)
      kept[name] = inner === true ? object[name] : project(object[name], inner, now)
  }
  return kept
}

/**
 * One member, as much of it as a model can read at once: of a text the piece from `offset`, of a list the entries from there.
 * Refuses with: validation_failed, where there is no such member.
 */
export function pieceOf(answer: unknown, { at = '', offset }: View): Record<string, unknown> {
  const value = memberAt(answer, at)
  if (typeof value === 'string') {
    const text = value.slice(offset, offset + lengthThatFits(value, offset))
    const next = offset + text.length
    return { at, total: value.length, offset, next_offset: next < value.length ? next : null, text }
  }
  if (Array.isArray(value)) {
    const rest = value.slice(offset)
    const found = fitted(rest, answerTokens, '')
    const shown = found.value as unknown[]
    const next = offset + shown.length
    return {
      at,
      total: value.length,
      offset,
      next_offset: next < value.length && shown.length > 0 ? next : null,
      entries: shown,
      ...where(found.shortened.filter((one) => one.at !== '').map((one) => ({ ...one, at: at + shifted(one.at, offset) }))),
    }
  }
  const found = fitted(value, answerTokens, at)
  return { at, value: found.value, ...where(found.shortened) }
}

const where = (shortened: readonly object[]): object => (shortened.length > 0 ? { shortened } : {})

/** `/3/input` of a list that begins at its tenth entry is `/13/input` of the whole. */
const shifted = (at: string, offset: number): string => at.replace(/^\/(\d+)/, (_, n: string) => `/${Number(n) + offset}`)

function lengthThatFits(text: string, from: number): number {
  // Texts have two tokens of frame; a piece of at most this many characters is looked at, however long the text is.
  let length = Math.min(text.length - from, answerTokens * 3)
  while (length > 1 && textTokens(text.slice(from, from + length)) > answerTokens) length = Math.floor(length * 0.9)
  const last = text.charCodeAt(from + length - 1)
  return last >= 0xd800 && last <= 0xdbff && from + length < text.length ? length - 1 : length
}

function memberAt(answer: unknown, pointer: string): unknown {
  let value = answer
  for (const step of pointer.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    const names = typeof value === 'object' && value !== null ? Object.keys(value) : []
    if (!names.includes(name)) {
      const near = nearestName(name, names)
      const message = `There is no '${name.slice(0, 64)}' at '${pointer.slice(0, 200)}'${near ? `; did you mean '${near}'?` : names.length === 0 ? '' : `; there are: ${names.slice(0, 20).join(', ')}.`}`
      const error: FieldError = { field: 'at', code: 'unknown_member', message }
      throw new WorkError('validation_failed', { detail: message, errors: [error] })
    }
    value = (value as Record<string, unknown>)[name]
  }
  return value
}
