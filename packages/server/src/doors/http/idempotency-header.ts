/** The idempotency key of a request, from whichever of the accepted headers carries it; quoted (as the draft standard writes it) or bare. */
import type { IncomingHttpHeaders } from 'node:http'
import { WorkError } from '@work-manager/contract'

export const defaultIdempotencyHeaders = ['idempotency-key', 'x-idempotency-key'] as const

/**
 * The key, or undefined when no header was sent.
 * Refuses with: idempotency_key_malformed.
 */
export function readIdempotencyKey(headers: IncomingHttpHeaders, names: readonly string[]): string | undefined {
  let key: string | undefined
  for (const name of names) {
    const raw = headers[name]
    if (raw === undefined) continue
    const read = unquoted(String(raw))
    if (!/^[\x21-\x7e]{1,255}$/.test(read)) throw malformed(name, whatIsWrong(read))
    if (key !== undefined && key !== read) throw malformed(name, 'two headers carry different keys')
    key = read
  }
  return key
}

function unquoted(value: string): string {
  const quoted = /^"(.*)"$/s.exec(value)
  return quoted ? quoted[1]!.replace(/\\(["\\])/g, '$1') : value
}

function whatIsWrong(key: string): string {
  if (key === '') return 'it is empty'
  if (key.length > 255) return `it is ${key.length} characters long`
  return /\s/.test(key) ? 'it holds white space' : 'it holds characters that are not printable ASCII'
}

function malformed(header: string, problem: string): WorkError {
  return new WorkError('idempotency_key_malformed', {
    detail: `The idempotency key in ${header} is malformed: ${problem}. It must be 1–255 printable ASCII characters.`,
    extra: { header },
  })
}
