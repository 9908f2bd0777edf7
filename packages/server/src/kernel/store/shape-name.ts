/**
 * Names for statements that are put together from parts: one per shape of their text, so that PostgreSQL plans each once per connection
 * (an order list: 1.7 ms unnamed, 1.1 ms named). Callers choose the parts, so the number of names is bounded: a shape beyond it goes unnamed.
 */
import { hash } from 'node:crypto'
import type { Sql } from 'sql-template-tag'

const mostShapes = 200
const names = new Map<string, string>()

export function shapeName(prefix: string, statement: Sql): string | undefined {
  const { text } = statement
  const known = names.get(text)
  if (known !== undefined || names.size >= mostShapes) return known
  const name = `${prefix}_${hash('sha256', text, 'hex').slice(0, 12)}`
  names.set(text, name)
  return name
}
