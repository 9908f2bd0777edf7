import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { heldItem, leaseParts } from '../../../testing/work-calls.ts'
import { finalizeItem } from './finalize-item.ts'

describeVerb(finalizeItem, {
  succeeds: ({ body }) => {
    expect(body).toMatchObject({ success: true, item: { state: 'submitted' } })
  },
  refuses: {
    parts_missing: async (side) => ({ ...(await heldItem(leaseParts(side))), mode: 'strict' }),
    lease_lost: async (_side, input) => ({ ...input, lease_token: 'wl.1.1.AAAAAAAAAAAAAAAA' }),
  },
})
