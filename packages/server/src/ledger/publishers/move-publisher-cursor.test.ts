import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { movePublisherCursor } from './move-publisher-cursor.ts'

describeVerb(movePublisherCursor, {
  succeeds: ({ body }) => {
    expect(body).toMatchObject({ publisher: 'file', seq: 0 })
    expect(body.from_seq).toBeGreaterThan(0)
  },
  refuses: {
    not_found: (_side, input) => ({ ...input, publisher: 'carrier-pigeon' }),
    validation_failed: (_side, input) => ({ ...input, seq: 1_000_000 }),
  },
})
