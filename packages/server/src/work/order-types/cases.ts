import { defineCases } from '../../../testing/cases.ts'

export const cases = defineCases({ list_order_types: { call: async () => ({}) } })
