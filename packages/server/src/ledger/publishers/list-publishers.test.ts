import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { listPublishers } from './list-publishers.ts'

describeVerb(listPublishers, {
  succeeds: ({ body }) => {
    expect(body.publishers).toHaveLength(1)
    expect(body.publishers[0]).toMatchObject({ publisher: 'file', lag_facts: 0 })
  },
  refuses: {
    validation_failed: () => ({ publisher: 'file' }),
  },
})
