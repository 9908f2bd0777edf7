import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { submit } from '../../../testing/work-calls.ts'
import { requeueItem } from './requeue-item.ts'

describeVerb(requeueItem, {
  succeeds: ({ body }) => {
    expect(body.item.state).toBe('queued')
  },
  refuses: {
    illegal_state_transition: async (side, input) => ({ ...input, item: (await submit(side)).item }),
  },
})
