import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { runMaintenance } from './run-maintenance.ts'

describeVerb(runMaintenance, {
  succeeds: ({ body }) => {
    expect(body).toEqual({ leases_reclaimed: 0, dead_lettered: 0, stale_reported: 0 })
  },
  refuses: {
    validation_failed: () => ({ dry: true }),
  },
})
