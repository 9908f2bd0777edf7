import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { reclaimLeases } from './reclaim-leases.ts'

describeVerb(reclaimLeases, {
  succeeds: ({ body }) => {
    expect(body, 'a lease that lives is left alone').toMatchObject({ leases: [], more: false })
  },
  refuses: {
    validation_failed: () => ({ older_than_seconds: -1 }),
  },
})
