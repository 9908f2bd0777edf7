import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { getStatus } from './get-status.ts'

describeVerb(getStatus, {
  succeeds: ({ body }) => {
    expect(body.database.status).toBe('ok')
    expect(body.orders).toMatchObject({ total: 1, submitted: 1 })
  },
  refuses: {
    validation_failed: () => ({ of: 'everything' }),
  },
})
