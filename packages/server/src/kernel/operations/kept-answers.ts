/** Looks for kept answers: requests of one tenant that look at the same moment share a round trip. */
import { WorkError } from '@work-manager/contract'
import { createBatcher } from '../batching/batcher.ts'
import { findAnswers, type KeptAnswer, type KeyScope } from '../store/idempotency.ts'
import type { Db } from '../store/tx.ts'

export type FindKept = (asked: { readonly tenantId: string; readonly scope: KeyScope }) => Promise<KeptAnswer | undefined>

export const createKeptAnswers = (db: Db): FindKept =>
  createBatcher({
    lane: ({ tenantId }) => tenantId,
    run: (asked) =>
      findAnswers(
        db,
        asked[0]!.tenantId,
        asked.map(({ scope }) => scope),
      ),
    isCommon: (error) => error instanceof WorkError,
    maxBatch: 128,
    inFlightPerLane: 2,
  })
