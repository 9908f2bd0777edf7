import { key } from './key.ts'
import { tenant } from './tenant.ts'

export * from './errors.ts'
export * from './key.ts'
export * from './tenant.ts'

export const accessNouns = [key, tenant] as const
