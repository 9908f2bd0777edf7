/** An item that was leased to a caller who is gone: given back at once, instead of standing idle until the lease ends. */
import { WorkError } from '@work-manager/contract'
import { releaseItem } from '../items/release-item.ts'
import { findItemNow } from '../items/store.ts'
import type { Reply } from '../../kernel/operations/operation.ts'
import type { WorkContext } from '../tools.ts'

/** What the taker hears instead, if anybody still listens. An item that was worked on since was heard of, and stays. */
export async function takeBackUnheard(context: WorkContext, reply: Reply): Promise<Error> {
  const { item } = ('json' in reply ? JSON.parse(reply.json) : reply.body) as { item: { id: string; lease_token: string } }
  try {
    const now = await context.read((q) => findItemNow(q, item.id))
    if (now?.state === 'leased') await releaseItem.handler(context, { item: item.id, lease_token: item.lease_token })
  } catch (error) {
    // Its lease ends by the clock, as that of anybody who falls silent.
    if (!(error instanceof WorkError)) throw error
    context.tools.log.warn({ code: error.code, item_id: item.id }, 'an item that nobody heard of could not be given back')
  }
  return new WorkError('no_items_available', { detail: 'The caller gave up before the item was handed over; it was given back.' })
}
