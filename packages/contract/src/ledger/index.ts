import { publisher } from './publisher.ts'

export * from './event.ts'
export * from './metrics.ts'
export * from './publisher.ts'

export const ledgerNouns = [publisher] as const
