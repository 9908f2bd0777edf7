/** Proposals of one tenant that come in at the same moment share one statement (`wm.propose_orders`). */
import { WorkError } from '@work-manager/contract'
import sql from 'sql-template-tag'
import { createBatcher } from '../../kernel/batching/batcher.ts'
import type { HeldKey } from '../../kernel/operations/operation.ts'
import type { Db } from '../../kernel/store/tx.ts'
import type { NewOrder } from './store.ts'

export interface ProposalRequest {
  readonly tenantId: string
  readonly agentId: string
  readonly order: NewOrder
  /** What a payload of its type must look like. */
  readonly shape: unknown
  readonly key: HeldKey
}

/** The answer, which is kept with the order; null: nothing happened (its key is known, its agent is paused …). Refuses as the database does. */
export type Proposals = (request: ProposalRequest) => Promise<string | null>

export const createProposals = (db: Db): Proposals =>
  createBatcher<ProposalRequest, string | null>({
    lane: ({ tenantId }) => tenantId,
    conflict: ({ key }) => `${key.principal} ${key.keyHash.toString('hex')}`,
    async run(requests) {
      const { tenantId, key } = requests[0]!
      const shapes = Object.fromEntries(requests.map(({ order, shape }) => [order.type, shape]))
      const orders = requests.map((request, slot) => ({
        slot,
        ...request.order,
        agent_id: request.agentId,
        key_hash: request.key.keyHash.toString('hex'),
        fingerprint: request.key.fingerprint.toString('hex'),
      }))
      const rows = await db.call<{ slot: number; body: string }>(
        tenantId,
        sql`select * from wm.propose_orders(${tenantId}::uuid, ${key.ttlSeconds}::integer, ${JSON.stringify(shapes)}::json, ${JSON.stringify(orders)}::json)`,
        'propose_orders',
      )
      const bodies = new Map(rows.map(({ slot, body }) => [slot, body]))
      return requests.map((_, slot) => bodies.get(slot) ?? null)
    },
    isCommon: (error) => error instanceof WorkError && error.code === 'database_unavailable',
    maxBatch: 64,
    inFlightPerLane: 2,
  })
