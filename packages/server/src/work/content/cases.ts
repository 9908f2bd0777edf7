import { defineCases } from '../../../testing/cases.ts'

export const cases = defineCases({
  verify_content: { call: async () => ({}) },
})
