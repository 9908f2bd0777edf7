/** The brief of one item for a verb, from memory or from the database. */
import { WorkError } from '@work-manager/contract'
import { follow } from '../../kernel/operations/traces.ts'
import type { WorkContext } from '../tools.ts'
import { findItemBrief, type ItemBrief } from './store.ts'

/** Refuses with: not_found. From here on the call belongs to the trace of the item's lease, unless its caller has one. */
export async function getItemBrief(context: WorkContext, id: string, token?: string): Promise<ItemBrief> {
  const brief = context.tools.briefs.find(context.principal.tenantId, id) ?? (await readBrief(context, id))
  context.trace?.describe({ itemId: id, orderId: brief.order_id, orderType: brief.type })
  follow(context, brief.traceparent, token)
  return brief
}

async function readBrief(context: WorkContext, id: string): Promise<ItemBrief> {
  const brief = await context.read((q) => findItemBrief(q, id))
  if (!brief) throw new WorkError('not_found')
  context.tools.briefs.remember(context.principal.tenantId, brief)
  return brief
}
