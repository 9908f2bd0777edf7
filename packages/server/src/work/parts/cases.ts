import { defineCases, done } from '../../../testing/cases.ts'
import { essay } from '../../../testing/essay-type.ts'
import { essayWithPart, heldItem, itemOf, lease, leaseParts, part } from '../../../testing/work-calls.ts'

export const cases = defineCases({
  submit_part: {
    by: 'agent',
    call: async (side) => ({ ...(await heldItem(leaseParts(side))), ...part(side) }),
    sample: async (side) => ({
      ...(await heldItem(lease(side, { type: 'test.essay', payload: { titles: ['On work'] } }))),
      part_key: 'body',
      payload: essay.body,
    }),
  },
  list_parts: { call: (side) => itemOf(leaseParts(side)), sample: (side) => itemOf(essayWithPart(side)) },
  finalize_item: {
    by: 'agent',
    async call(side) {
      const { item, lease_token } = await leaseParts(side)
      done(await side.agent.post(`/items/${item}/parts`, { lease_token, ...part(side) }))
      return { item, lease_token }
    },
    sample: async (side) => ({ ...(await heldItem(essayWithPart(side))), mode: 'strict' }),
  },
})
