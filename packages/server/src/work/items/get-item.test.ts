import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { getItem } from './get-item.ts'

describeVerb(getItem, {
  succeeds: ({ body }, _side, input) => {
    expect(body.item).toMatchObject({ id: input.item, state: 'submitted' })
  },
  refuses: {
    id_malformed: () => ({ item: 'item-1' }),
  },
})
