import { approval } from './approval.ts'
import { effect } from './effect.ts'
import { generator } from './generator.ts'
import { item } from './item.ts'
import { lease } from './lease.ts'
import { order } from './order.ts'
import { part } from './part.ts'
import { pause } from './pause.ts'

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

/** In the order of the references. A new noun is its file and a line here. */
export const workNouns = [order, item, part, approval, lease, effect, generator, pause] as const

/** The headings of this system's abilities, in the order in which the references show them. */
export const workAbilityGroups = ['Proposing', 'Doing the work', 'Deciding', 'Reading'] as const
