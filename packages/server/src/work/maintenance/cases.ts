import { defineCases } from '../../../testing/cases.ts'

export const cases = defineCases({ run_maintenance: { sample: async () => ({}) } })
