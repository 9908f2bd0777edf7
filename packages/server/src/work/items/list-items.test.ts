import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { listItems } from './list-items.ts'

describeVerb(listItems, {
  succeeds: ({ body }, _side, input) => {
    expect(body.data.map((item: { order_id: string }) => item.order_id)).toEqual([input.order])
  },
})
