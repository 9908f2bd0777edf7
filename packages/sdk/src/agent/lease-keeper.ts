/**
 * Keeps the lease of one item alive in the background, as often as the server asked for, and says at once when it is lost: because the
 * server says so, or because the server could not be reached for as long as the lease lasts.
 */
import { isLeaseLost, isWorkError } from '../errors.ts'
import type { WorkManagerClient } from '../client.ts'
import { pause } from '../pause.ts'
import type { Emit } from './events.ts'
import type { WorkItem } from './handler.ts'

/** The reason of a handler's signal when the item is not this agent's any more. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
  /** A code of the server, or `unreachable`: no heartbeat got through for as long as the lease lasts. */
  readonly reason: string
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

export interface LeaseKeeper {
  /** Aborted, with a LeaseLostError, when the lease is lost. */
  readonly signal: AbortSignal
  heartbeat(): Promise<string>
  /** From now on the answer to the hand-in decides: the server may have it already, and a heartbeat would hear of that first. */
  handingIn(is: boolean): void
  stop(): void
}

/** After a heartbeat that did not get through, the next one does not wait for its turn. */
const soonMs = 2_000

export function keepLease(item: WorkItem, client: WorkManagerClient, emit: Emit): LeaseKeeper {
  const lost = new AbortController()
  const over = new AbortController()
  const everyMs = item.heartbeat_every_seconds * 1000
  let isHandingIn = false
  let deadline: ReturnType<typeof setTimeout> | undefined

  const lose = (reason: string, message: string, cause: unknown): void => {
    if (over.signal.aborted) return
    lost.abort(new LeaseLostError(reason, message, { cause }))
    stop()
  }
  const giveUp = (): void => {
    // What is being handed in is not thrown away for want of an answer: the server judges it when it is back.
    if (!isHandingIn) lose('unreachable', 'No heartbeat got through for as long as the lease lasts, so it counts as lost.', undefined)
  }
  // The server's clock may differ from ours; a lease lasts at least twice as long as the time between heartbeats.
  const expectEnd = (leaseExpiresAt: string, askedAt: number): void => {
    const lastsMs = Math.max(2 * everyMs, Date.parse(leaseExpiresAt) - Date.now()) - (performance.now() - askedAt)
    clearTimeout(deadline)
    if (!over.signal.aborted) deadline = setTimeout(giveUp, Math.max(0, lastsMs))
  }
  const stop = (): void => {
    clearTimeout(deadline)
    over.abort()
  }

  async function heartbeat(): Promise<string> {
    const askedAt = performance.now()
    try {
      const { lease_expires_at: leaseExpiresAt } = await client.heartbeatItem(
        { item: item.id, lease_token: item.lease_token },
        {
          signal: over.signal,
          traceparent: item.traceparent,
          timeoutMs: Math.min(30_000, Math.max(1_000, everyMs)),
          retry: { attempts: 3, totalMs: everyMs },
        },
      )
      expectEnd(leaseExpiresAt, askedAt)
      emit({ kind: 'heartbeat', item, leaseExpiresAt })
      return leaseExpiresAt
    } catch (error) {
      const isAnswerComing = isHandingIn && isWorkError(error, 'already_submitted')
      if (isLeaseLost(error) && !isAnswerComing) lose(error.code, error.detail, error)
      throw error
    }
  }

  async function beat(): Promise<void> {
    let waitMs = everyMs
    for (;;) {
      await pause(waitMs, over.signal)
      if (over.signal.aborted) return
      waitMs = everyMs
      try {
        await heartbeat()
      } catch (error) {
        if (over.signal.aborted) return
        if (isLeaseLost(error)) return
        emit({ kind: 'trouble', item, error })
        if (!isWorkError(error) || error.retry === 'later') waitMs = Math.min(everyMs, soonMs)
      }
    }
  }

  expectEnd(item.lease_expires_at, performance.now())
  void beat()
  return { signal: lost.signal, heartbeat, stop, handingIn: (is) => void (isHandingIn = is) }
}
