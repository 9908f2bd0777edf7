import { ItemShape } from '@work-manager/contract'
import Type from 'typebox'
import { topics } from '../topics.ts'
import { appendEvents, ofItem } from '../../kernel/store/events.ts'
import { renderItem } from './store.ts'
import { lockOrder } from '../orders/store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { itemId, leaseToken } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { returnItem } from './return-item.ts'
import { getItemBrief } from './item-brief.ts'
import { lockHeldItem } from './held-item.ts'
import { dropRulesOf } from '../leases/drop-rules.ts'
import { leaseRefusals } from '../leases/refusals.ts'
import { itemShown } from '../shown.ts'

export const releaseItem = defineOperation({
  name: 'release_item',
  summary:
    'Give an item back without having done it; it is ready for the next agent at once, unless its attempts are used up. Given back within half a minute it costs no attempt.',
  http: { method: 'POST', path: '/items/:item/release', success: 200 },
  ability: 'work:submit',
  rate: 'shed_last',
  idempotency: 'accepted',
  refuses: ['not_found', ...leaseRefusals],
  command: { words: 'items release' },
  tool: { name: 'work_release', title: 'Give an item back', shows: { item: itemShown } },
  input: Type.Object({ item: itemId, lease_token: leaseToken }),
  output: Type.Object({ item: ItemShape }),
  async handler(context, input) {
    const { order_id } = await getItemBrief(context, input.item, input.lease_token)
    const actor = actorOf(context)
    const reply = await context.write(async (tx) => {
      const order = await lockOrder(tx, order_id)
      const { item, at } = await lockHeldItem(tx, context, input.item, input.lease_token)
      const following = await returnItem(tx, order!, item, at, actor, {
        rules: dropRulesOf(context.tools, order!.type),
        isGivenBack: true,
        error: null,
      })
      await appendEvents(tx, actor, at, [
        {
          kind: 'item.released',
          ...ofItem(item),
          payload: { generation: Number(item.generation), lease_expires_at: item.lease_expires_at },
        },
        ...following,
      ])
      return { status: 200, json: `{"item":${await renderItem(tx, item.id)}}` }
    })
    context.tools.signal.wake(topics.ready(context.principal.tenantId))
    context.tools.signal.wake(topics.failed)
    return reply
  },
})
