import { defineCases } from '../../../testing/cases.ts'
import { submitShown } from '../../../testing/work-calls.ts'

export const cases = defineCases({
  get_status: {
    async sample(side) {
      await submitShown(side)
      return {}
    },
  },
})
