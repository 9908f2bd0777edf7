/** How many more orders a principal may propose before those that it has open are counted again. */
import { LRUCache } from 'lru-cache'

export type Allowances = LRUCache<string, { left: number }>

export const createAllowances = (): Allowances => new LRUCache({ max: 10_000 })
