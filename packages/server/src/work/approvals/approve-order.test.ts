import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { propose } from '../../../testing/work-calls.ts'
import { approveOrder } from './approve-order.ts'

describeVerb(approveOrder, {
  succeeds: ({ body }) => {
    expect(body.order.state).toBe('completed')
    expect(body.diff).not.toBeNull()
  },
  refuses: {
    not_ready_for_approval: async (side) => ({ order: await propose(side) }),
    content_changed: (_side, input) => ({ ...input, digest: `sha256:${'0'.repeat(64)}` }),
  },
})
