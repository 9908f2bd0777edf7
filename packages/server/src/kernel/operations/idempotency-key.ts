/** What an idempotency key may look like: one rule for every door. */
import { WorkError } from '@work-manager/contract'

/**
 * The key as it is: 1–255 printable ASCII characters without spaces. `where` names what carried it.
 * Refuses with: idempotency_key_malformed, naming what is wrong and where.
 */
export function checkedKey(key: unknown, where: string): string {
  if (typeof key !== 'string') throw malformedKey(where, `it is ${key === null ? 'null' : `a ${typeof key}`}`)
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw malformedKey(where, whatIsWrong(key))
  return key
}

function whatIsWrong(key: string): string {
  if (key === '') return 'it is empty'
  if (key.length > 255) return `it is ${key.length} characters long`
  return /\s/.test(key) ? 'it holds white space' : 'it holds characters that are not printable ASCII'
}

export function malformedKey(where: string, problem: string): WorkError {
  return new WorkError('idempotency_key_malformed', {
    detail: `The idempotency key in ${where} is malformed: ${problem}. It must be 1–255 printable ASCII characters without spaces, such as a UUID.`,
    extra: { header: where },
  })
}
