import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { listParts } from './list-parts.ts'

describeVerb(listParts, {
  succeeds: ({ body }) => {
    expect(body.parts).toEqual([])
  },
})
