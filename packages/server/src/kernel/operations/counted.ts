/** Counts over many rows, remembered for as long as they are exactly right. */
import { countEvents } from '../store/event-count.ts'
import type { Queryable } from '../store/tx.ts'
import type { OperationContext } from './operation.ts'

/** Short: what nobody asks for any more need not be kept. */
const ttlMs = 5_000

/**
 * What `count` reads, from the cache while no event of the tenant was committed since: callers always find their own last change in it,
 * whatever process answers.
 */
export async function readCounted<T extends { readonly events: string }>(
  context: OperationContext,
  name: 'status' | 'order_total',
  key: string,
  count: (q: Queryable) => Promise<T>,
): Promise<T> {
  const kind = {
    name,
    families: ['order', 'item'],
    ttlMs,
    stillTrue: async (value: T) => (await context.read(countEvents)) === value.events,
  }
  return (await context.tools.cache.read(context.principal.tenantId, kind, key, () => context.read(count)))!
}
