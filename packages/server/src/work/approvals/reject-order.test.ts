import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { propose } from '../../../testing/work-calls.ts'
import { rejectOrder } from './reject-order.ts'

describeVerb(rejectOrder, {
  succeeds: ({ body }) => {
    expect(body.order).toMatchObject({ state: 'queued', revision: 2 })
  },
  refuses: {
    illegal_state_transition: async (side, input) => ({
      order: await propose(side),
      errors: [{ code: 'no', message: 'No.' }],
      allow_rework: input.allow_rework,
    }),
    validation_failed: (_side, input) => ({ ...input, items: [randomUUID()] }),
  },
})
