/**
 * What every agent does, whoever it is: take an item, keep its lease alive while working on it, hand in, take the next. The agents of
 * the demo differ only in `work`. An agent of your own needs no more than this file and the three calls of client.ts that it uses.
 */
import { isLeaseLost } from '@work-manager/sdk'
import { orderIs } from '@work-manager/contract'
import type { LeasedItem, WorkApi } from '../client.ts'
import type { Tone } from '../narration.ts'
import { pause } from '../pause.ts'
import type { Stage } from '../stage.ts'

export interface Surroundings {
  readonly name: string
  readonly api: WorkApi
  /** The server's working directory: `input.root` of an item is relative to it. */
  readonly directory: string
  readonly stage: Stage
  readonly tell: (text: string, tone?: Tone) => void
}

export type Work = (item: LeasedItem, around: Surroundings) => Promise<void>

const waitSeconds = 5

/** Works on items of the order until none is left. An item that was lost to another agent is no reason to stop. */
export async function workUntilDone(work: Work, around: Surroundings): Promise<void> {
  const { api, stage, tell, name } = around
  while (!stage.left.aborted) {
    const item = await api.checkout(stage.orderId, waitSeconds, stage.left).catch((error: unknown) => {
      if (stage.left.aborted) return null
      throw error
    })
    if (!item) {
      if (!stage.left.aborted && !orderIs.open((await api.getOrder(stage.orderId)).state)) stage.closeForAgents()
      continue
    }
    stage.taken(name, item)
    try {
      await work(item, around)
    } catch (error) {
      if (!isLeaseLost(error)) throw error
      tell(`stops working on ${stage.nameOf(item)}: ${error.detail}`, 'refused')
    }
  }
}

/** Runs `work` while a heartbeat keeps the lease alive as often as the server asked for; both end together. */
export async function holdingLease<T>(item: LeasedItem, api: WorkApi, work: () => Promise<T>): Promise<T> {
  const over = new AbortController()
  const beat = async () => {
    while (!over.signal.aborted) {
      await api.heartbeat(item, over.signal)
      await pause(item.heartbeat_every_seconds * 1000, over.signal)
    }
  }
  // A lost lease shows when handing in, with the server's own words; a heartbeat that fails has nothing to add.
  const beating = beat().catch(() => {})
  try {
    return await work()
  } finally {
    over.abort()
    await beating
  }
}
