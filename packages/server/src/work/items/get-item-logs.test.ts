import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { getItemLogs } from './get-item-logs.ts'

describeVerb(getItemLogs, {
  succeeds: ({ body }) => {
    expect(body.events.map((event: { kind: string }) => event.kind)).toContain('item.submitted')
  },
})
