import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { heartbeatItem } from './heartbeat-item.ts'

describeVerb(heartbeatItem, {
  succeeds: ({ body }) => {
    expect(Date.parse(body.lease_expires_at)).toBeGreaterThan(0)
  },
  refuses: {
    lease_lost: async (_side, input) => ({ ...input, lease_token: 'wl.1.1.AAAAAAAAAAAAAAAA' }),
  },
})
