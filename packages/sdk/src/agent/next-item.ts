/** Asking for the next item: one long poll, or several types in turn. */
import { isWorkError } from '../errors.ts'
import type { WorkManagerClient } from '../client.ts'
import type { CheckoutItemInput } from '../generated/client.ts'
import type { WorkItem } from './handler.ts'

export interface Wanted {
  readonly types: readonly string[]
  readonly order: string | undefined
  readonly minPriority: number | undefined
  readonly waitSeconds: number
}

/** A checkout names one type. With several, the agent waits for each in turn, so that work of the others is seen this soon. */
const turnSeconds = 2

/** Resolves with null when there was nothing to be had, and asks nothing more once `stopping` is aborted. Rejects as the client does. */
export type NextItem = (signal: AbortSignal, stopping: AbortSignal) => Promise<WorkItem | null>

export function itemSource(client: WorkManagerClient, { types, order, minPriority, waitSeconds }: Wanted): NextItem {
  const ask = async (wait: number, type: string | undefined, signal: AbortSignal): Promise<WorkItem | null> => {
    const filter: CheckoutItemInput = {
      ...(type !== undefined && { type }),
      ...(minPriority !== undefined && { min_priority: minPriority }),
      wait,
    }
    try {
      const { item } =
        order === undefined ? await client.checkoutItem(filter, { signal }) : await client.checkoutOrderItem({ order, wait }, { signal })
      return item
    } catch (error) {
      // An order that is over has nothing more to give, which is what its agent waits for; a requeue may open it again.
      if (isWorkError(error, 'no_items_available', 'lease_limit_reached', 'paused', 'order_not_open')) return null
      throw error
    }
  }
  if (types.length <= 1) return (signal) => ask(waitSeconds, types[0], signal)

  let turn = 0
  return async (signal, stopping) => {
    turn++
    const inTurn = types.map((_, index) => types[(index + turn) % types.length]!)
    for (const type of inTurn) {
      const item = await ask(0, type, signal)
      if (item !== null || stopping.aborted) return item
    }
    return ask(Math.min(waitSeconds, turnSeconds), inTurn[0], signal)
  }
}
