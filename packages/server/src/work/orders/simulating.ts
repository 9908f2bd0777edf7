/**
 * What a proposal would become: everything that proposing does, in a transaction that is always rolled back, so that what is said is what would
 * happen, and nothing of it is written. The code of the type has planned before.
 */
import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { actorOf } from '../../kernel/operations/actor.ts'
import type { Reply } from '../../kernel/operations/operation.ts'
import { pausedRefusal } from '../pauses/decide.ts'
import { shareAgentPause } from '../pauses/store.ts'
import type { WorkContext } from '../tools.ts'
import { type Proposal, writeProposal } from './proposing.ts'
import { countOpenOrders, renderOrder } from './store.ts'

/** Of a longer plan only this many items are shown. */
const mostItems = 100

export const simulationOutput = {
  simulated: Type.Optional(Type.Boolean({ description: 'True: nothing was written.' })),
  items: Type.Optional(
    Type.Array(
      Type.Object({
        ordinal: Type.Integer(),
        type: Type.String(),
        input: Type.Unknown(),
        max_attempts: Type.Integer(),
        lease_seconds: Type.Integer(),
        parts_required: Type.Union([Type.Null(), Type.Array(Type.String())]),
      }),
      { description: 'The first hundred items of the plan.' },
    ),
  ),
  items_omitted: Type.Optional(Type.Integer({ minimum: 0 })),
}

/** Carries the answer out of the transaction that must not commit. */
class RolledBack extends Error {
  readonly order: string
  constructor(order: string) {
    super('a simulation is rolled back')
    this.order = order
  }
}

/** Refuses with: paused, too_many_open_orders. */
export async function simulated(context: WorkContext, proposal: Proposal & { readonly id: string }): Promise<Reply> {
  const { tools, principal } = context
  const most = tools.settings.maxOpenOrders
  const order = await tools.db
    .transaction(principal.tenantId, async (tx): Promise<never> => {
      const pause = await shareAgentPause(tx, context.provenance.agentId, principal.name)
      if (pause) throw pausedRefusal(pause)
      if ((await countOpenOrders(tx, principal.name, most)) >= most)
        throw new WorkError('too_many_open_orders', {
          detail: `${most} orders that you proposed are still open, as many as one principal may have.`,
          extra: { max: most },
          retryAfterSeconds: 60,
        })
      await writeProposal(tx, tools, actorOf(context), proposal)
      throw new RolledBack((await renderOrder(tx, proposal.id))!)
    })
    .catch((error: unknown) => {
      if (error instanceof RolledBack) return error.order
      throw error
    })
  const items = proposal.items.slice(0, mostItems).map((item) => ({
    ordinal: item.ordinal,
    type: item.type,
    input: item.input,
    max_attempts: item.maxAttempts,
    lease_seconds: item.leaseTtlSeconds,
    parts_required: item.partsRequired,
  }))
  const more = `"items_count":${proposal.items.length},"simulated":true,"items":${JSON.stringify(items)},"items_omitted":${proposal.items.length - items.length}`
  return { status: 200, json: `{"order":${order},${more}}` }
}
