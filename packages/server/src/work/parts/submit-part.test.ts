import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { heldItem, lease } from '../../../testing/work-calls.ts'
import { submitPart } from './submit-part.ts'

describeVerb(submitPart, {
  succeeds: ({ body }) => {
    expect(body).toMatchObject({ success: true, part: { part_key: 'one', status: 'validated', revision: 1 } })
  },
  refuses: {
    verification_failed: (_side, input) => ({ ...input, payload: { text: 7 } }),
    lease_lost: async (_side, input) => ({ ...input, lease_token: 'wl.1.1.AAAAAAAAAAAAAAAA' }),
    parts_not_supported: async (side, input) => ({ ...input, ...(await heldItem(lease(side))) }),
  },
})
