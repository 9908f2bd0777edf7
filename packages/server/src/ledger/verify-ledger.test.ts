import { expect } from 'vitest'
import { describeVerb } from '../../testing/describe-verb.ts'
import { verifyLedger } from './verify-ledger.ts'

describeVerb(verifyLedger, {
  succeeds({ body }) {
    expect(body).toMatchObject({ ok: true, damage: null })
  },
  refuses: { validation_failed: () => ({ after: -1 }) },
})
