import { expect } from 'vitest'
import { describeVerb } from '../../testing/describe-verb.ts'
import { exportLedger } from './export-ledger.ts'

describeVerb(exportLedger, {
  succeeds: ({ body }) => {
    expect(body.entries.map((entry: { seq: number }) => entry.seq)).toEqual([1])
    expect(body.head.seq).toBeGreaterThan(1)
  },
  refuses: {
    validation_failed: () => ({ after: -1 }),
  },
})
