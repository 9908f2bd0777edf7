import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { listPauses } from './list-pauses.ts'

describeVerb(listPauses, {
  succeeds: ({ body }) => {
    expect(body.pauses.map((row: { subject: string }) => row.subject)).toEqual(['crawler-1'])
  },
})
