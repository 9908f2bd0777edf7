import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { listParkedMessages } from './list-parked-messages.ts'

describeVerb(listParkedMessages, {
  succeeds: ({ body }) => {
    expect(body.messages.map((message: { seq: number }) => message.seq)).toEqual([1, 2])
  },
})
