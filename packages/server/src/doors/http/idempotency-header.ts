/** The idempotency key of a request, from whichever of the accepted headers carries it; quoted (as the draft standard writes it) or bare. */
import type { IncomingHttpHeaders } from 'node:http'
import { checkedKey, malformedKey } from '../../kernel/operations/idempotency-key.ts'

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
    const read = checkedKey(unquoted(String(raw)), name)
    if (key !== undefined && key !== read) throw malformedKey(name, 'two headers carry different keys')
    key = read
  }
  return key
}

function unquoted(value: string): string {
  const quoted = /^"(.*)"$/s.exec(value)
  return quoted ? quoted[1]!.replace(/\\(["\\])/g, '$1') : value
}
