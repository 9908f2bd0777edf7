import { idempotency } from './idempotency.ts'

export * from './idempotency.ts'

export const housekeepingNouns = [idempotency] as const
