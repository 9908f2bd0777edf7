import { expect } from 'vitest'
import { describeVerb } from '../../testing/describe-verb.ts'
import { listEvents } from './list-events.ts'

describeVerb(listEvents, {
  succeeds: ({ body }) => {
    expect(body.events.map((event: { kind: string }) => event.kind)).toEqual(['item.submitted'])
  },
  refuses: {
    validation_failed: () => ({ kind: 'item.sumbitted' }),
  },
})
