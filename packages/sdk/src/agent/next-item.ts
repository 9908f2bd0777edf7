/** Asking for the next item: one long poll, or several types in turn. */
import { isWorkError } from '../errors.ts'
import type { CheckoutItemInput, WorkManagerClient } from '../generated/api.ts'
import { pause } from '../pause.ts'
import type { WorkItem } from './handler.ts'

export interface Wanted {
  readonly types: readonly string[]
  readonly order: string | undefined
  readonly minPriority: number | undefined
  readonly waitSeconds: number
}

/** A checkout names one type. With several, the agent waits for each in turn, so that work of the others is seen this soon. */
const turnSeconds = 2
/** A server that does not wait (it may be configured so, or be stopping) is not asked more often than this. */
const shortestPollMs = 1_000

/** Resolves with null when there was nothing to be had. Rejects as the client does. */
export type NextItem = (signal: AbortSignal) => Promise<WorkItem | null>

export function itemSource(client: WorkManagerClient, { types, order, minPriority, waitSeconds }: Wanted): NextItem {
  const ask = async (wait: number, type: string | undefined, signal: AbortSignal): Promise<WorkItem | null> => {
    const filter: CheckoutItemInput = { ...(type !== undefined && { type }), ...(minPriority !== undefined && { min_priority: minPriority }), wait }
    try {
      const { item } = order === undefined ? await client.checkoutItem(filter, { signal }) : await client.checkoutOrderItem({ order, wait }, { signal })
      return item
    } catch (error) {
      if (isWorkError(error, 'no_items_available')) return null
      throw error
    }
  }
  const patiently = async (wait: number, type: string | undefined, signal: AbortSignal): Promise<WorkItem | null> => {
    const started = performance.now()
    const item = await ask(wait, type, signal)
    const tookMs = performance.now() - started
    if (item === null && tookMs < shortestPollMs) await pause((shortestPollMs - tookMs) * (1 + Math.random()), signal)
    return item
  }
  if (types.length <= 1) return (signal) => patiently(waitSeconds, types[0], signal)

  let turn = 0
  return async (signal) => {
    turn++
    const inTurn = types.map((_, index) => types[(index + turn) % types.length]!)
    for (const type of inTurn) {
      const item = await ask(0, type, signal)
      if (item !== null || signal.aborted) return item
    }
    return patiently(Math.min(waitSeconds, turnSeconds), inTurn[0], signal)
  }
}
