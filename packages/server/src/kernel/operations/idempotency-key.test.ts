import { WorkError } from '@work-manager/contract'
import { describe, expect, it } from 'vitest'
import { checkedKey } from './idempotency-key.ts'

const refusal = (key: unknown): WorkError => {
  try {
    checkedKey(key, 'idempotency_key')
  } catch (error) {
    return error as WorkError
  }
  throw new Error('taken')
}

describe('an idempotency key', () => {
  it.each(['k', 'k'.repeat(255), '!~', '01890a5d-ac96-774b-bcce-b302099a8057'])('%s is taken as it is', (key) =>
    expect(checkedKey(key, 'x')).toBe(key),
  )
  it.each([
    ['', 'it is empty'],
    ['a b', 'it holds white space'],
    ['a\nb', 'it holds white space'],
    ['k'.repeat(256), 'it is 256 characters long'],
    ['ключ', 'not printable ASCII'],
    ['a\u0000', 'not printable ASCII'],
    [7, 'it is a number'],
    [null, 'it is null'],
  ])('%j is refused: %s', (key, why) => {
    expect(refusal(key).code).toBe('idempotency_key_malformed')
    expect(refusal(key).message).toContain(why)
    expect(refusal(key).message).toContain('idempotency_key')
  })
})
