import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { retryParkedMessages } from './retry-parked-messages.ts'

describeVerb(retryParkedMessages, {
  succeeds: ({ body }) => {
    expect(body).toEqual({ publisher: 'file', messages: 1 })
  },
  refuses: {
    not_found: (_side, input) => ({ ...input, seq: 3 }),
  },
})
