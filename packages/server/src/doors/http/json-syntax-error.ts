/** Says where a JSON text goes wrong, what was expected there and, for the usual mistakes, which one it is. */
import { WorkError } from '@work-manager/contract/errors'

/** The refusal for the character at `at`, where `expected` should have been. */
export function syntaxError(text: string, at: number, expected: string): WorkError {
  const before = text.slice(0, at)
  const line = before.split('\n').length
  // Counted as editors count: a character outside the basic plane is one column.
  const column = Array.from(before.slice(before.lastIndexOf('\n') + 1)).length + 1
  const found = foundAt(text, at)
  const hint = hintFor(text, at)
  return new WorkError('json_syntax', {
    detail: `The body is not valid JSON: line ${line}, column ${column}: expected ${expected}, found ${found}.${hint === null ? '' : ` ${hint}`}`,
    extra: { line, column, expected },
  })
}

function foundAt(text: string, at: number): string {
  if (at >= text.length) return 'the end of the body'
  return JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))
}

function hintFor(text: string, at: number): string | null {
  const rest = text.slice(at, at + 12)
  if (/^(?:\/\/|\/\*|#)/.test(rest)) return 'JSON does not allow comments.'
  if (rest.startsWith("'") || rest.startsWith('`')) return 'JSON strings and keys are written in double quotes.'
  if (/^[}\]]/.test(rest) && /,\s*$/.test(text.slice(Math.max(0, at - 64), at))) return 'JSON does not allow a trailing comma.'
  if (/^-?(?:NaN|Infinity)/.test(rest)) return 'JSON has no NaN or Infinity.'
  if (/^(?:True|False|None|undefined)/.test(rest)) return 'JSON knows the words true, false and null only.'
  if (/^[A-Za-z_$]/.test(rest)) return 'Keys and strings need double quotes.'
  return null
}
