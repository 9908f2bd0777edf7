/** A new noun is its file and a line here. */
export * from './approval.ts'
export * from './effect.ts'
export * from './errors.ts'
export * from './evidence.ts'
export * from './generator.ts'
export * from './item.ts'
export * from './lease.ts'
export * from './metrics.ts'
export * from './order.ts'
export * from './part.ts'
export * from './pause.ts'

/** The headings of this system's abilities, in the order in which the references show them. */
export const workAbilityGroups = ['Proposing', 'Doing the work', 'Deciding', 'Reading'] as const
