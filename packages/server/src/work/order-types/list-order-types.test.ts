import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { listOrderTypes } from './list-order-types.ts'

describeVerb(listOrderTypes, {
  succeeds: ({ body }) => {
    expect(body.types.map((one: { type: string }) => one.type)).toContain('test.echo')
  },
  refuses: {
    validation_failed: () => ({ typ: 'test.echo' }),
  },
})
