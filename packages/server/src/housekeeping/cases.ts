import { defineCases } from '../../testing/cases.ts'

export const cases = defineCases({ purge_idempotency_keys: { sample: async () => ({ older_than_seconds: 86_400 }) } })
