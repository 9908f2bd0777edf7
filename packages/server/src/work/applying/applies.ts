/**
 * How many orders this process applies at a time, and who goes next: the tenants in turn. An order that was approved here is applied at
 * once and its answer handed over in memory; the sweep (applier.ts) takes the rest, and what a crash left behind.
 */
import { createFairQueue } from '../../kernel/store/fair-queue.ts'
import type { HeldKey } from '../../kernel/operations/operation.ts'

/** What came of it: the answer of whoever waits, or null when it has to be looked up (failed, paused, somebody else's). */
export interface Applied {
  readonly done: boolean
  readonly answer: { readonly status: number; readonly json: string } | null
}

/** Applies one order; `key`: of the request that waits for it, whose answer is kept with the change. */
export type ApplyOne = (tenantId: string, orderId: string, key: HeldKey | null) => Promise<Applied>

export interface Applies {
  /** Applies in its turn. Whoever asks for an order that is being applied here gets the same promise. Refuses with: busy. */
  inTurn(apply: ApplyOne, tenantId: string, orderId: string, key: HeldKey | null): Promise<Applied>
  /** The same by the applier that runs in this process; null when none does: another process will. */
  atOnce(tenantId: string, orderId: string, key: HeldKey): Promise<Applied> | null
  /** The applier of this process; null: it stopped. */
  serve(apply: ApplyOne | null): void
  isUnderWay(orderId: string): boolean
  /** Resolves when nothing is under way. */
  settled(): Promise<void>
}

/** Longer than a turn usually takes by far; whoever waited so long is left to the sweep. */
const longestWaitMs = 30_000

export function createApplies(most: number): Applies {
  const turns = createFairQueue(most, longestWaitMs)
  const underWay = new Map<string, Promise<Applied>>()
  let serving: ApplyOne | null = null

  async function take(apply: ApplyOne, tenantId: string, orderId: string, key: HeldKey | null): Promise<Applied> {
    const leave = await turns.enter(tenantId)
    try {
      return await apply(tenantId, orderId, key)
    } finally {
      leave()
    }
  }

  const applies: Applies = {
    inTurn(apply, tenantId, orderId, key) {
      const same = underWay.get(orderId)
      if (same) return same
      const applying = take(apply, tenantId, orderId, key).finally(() => underWay.delete(orderId))
      underWay.set(orderId, applying)
      return applying
    },
    atOnce: (tenantId, orderId, key) => serving && applies.inTurn(serving, tenantId, orderId, key),
    serve(apply) {
      serving = apply
    },
    isUnderWay: (orderId) => underWay.has(orderId),
    async settled() {
      await Promise.allSettled(underWay.values())
    },
  }
  return applies
}
