import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { getOrder } from './get-order.ts'

describeVerb(getOrder, {
  succeeds: ({ body }, _side, input) => {
    expect(body.order).toMatchObject({ id: input.order, state: 'submitted' })
    expect(body.order.digest).toMatch(/^sha256:/)
  },
  refuses: {
    id_malformed: () => ({ order: 'order-1' }),
  },
})
