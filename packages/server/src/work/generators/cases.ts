import { defineCases } from '../../../testing/cases.ts'

export const cases = defineCases({ run_generators: { sample: async () => ({ generator: 'nightly.echo' }) } })
