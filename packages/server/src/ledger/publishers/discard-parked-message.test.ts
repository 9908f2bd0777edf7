import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { discardParkedMessage } from './discard-parked-message.ts'

describeVerb(discardParkedMessage, {
  succeeds: ({ body }) => {
    expect(body).toMatchObject({ publisher: 'file', seq: 2 })
  },
  refuses: {
    not_found: (_side, input) => ({ ...input, seq: 3 }),
  },
})
