/** Counts over many rows, remembered for as long as they are exactly right. */
import { hasFactsSince } from '../store/snapshots.ts'
import type { Queryable } from '../store/tx.ts'
import type { OperationContext } from './operation.ts'

/** Short, because the older a snapshot is, the more transactions lie between it and now. */
const ttlMs = 5_000

/**
 * What `count` reads, from the cache while no fact of the tenant was committed since: a caller always finds his own last change in it,
 * whatever process answers.
 */
export async function readCounted<T extends { readonly snapshot: string }>(
  context: OperationContext,
  name: 'status' | 'order_total',
  key: string,
  count: (q: Queryable) => Promise<T>,
): Promise<T> {
  const kind = {
    name,
    families: ['order', 'item'],
    ttlMs,
    stillTrue: async (value: T) => !(await context.read((q) => hasFactsSince(q, value.snapshot))),
  }
  return (await context.tools.cache.read(context.principal.tenantId, kind, key, () => context.read(count)))!
}
