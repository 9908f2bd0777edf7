/**
 * A type that nobody knows is a slip of whoever names it: it is said at once, with the name that was probably meant, instead of letting
 * them wait for work that never comes. Another process may have types that this one lacks, and orders outlive their types: a name is
 * known when it is registered here or any order has it.
 */
import { getType } from './planning.ts'
import { findTypesWithOrders } from './store.ts'
import type { WorkContext } from '../tools.ts'

/** Refuses with: order_type_not_found. Costs a statement only for names that are not registered. */
export async function assertTypesKnown(context: WorkContext, names: readonly string[]): Promise<void> {
  const { types } = context.tools
  const unregistered = names.filter((name) => !types.has(name))
  if (unregistered.length === 0) return
  const used = await context.read((q) => findTypesWithOrders(q, unregistered))
  for (const name of unregistered) if (!used.includes(name)) getType(context.tools, name)
}
