/**
 * Who calls a tool may give up: close the connection, or say `notifications/cancelled` in a request of its own, which may come before the
 * call, while it runs, after its answer has left, and at another process. Whatever the order, nothing is taken for a client that gave up.
 */
import { LRUCache } from 'lru-cache'
import type { WorkSignal } from '../../kernel/signals/work-signal.ts'

/** How long a cancellation waits for a call that it overtook, and an answer for the cancellation that crosses it. */
const crossingMs = 30_000
const mostKept = 2000

export interface Followed {
  /** Aborted when the client gave up. */
  readonly signal: AbortSignal
  /** The call did something; `takeBack` undoes it, when the client turns out to have given up. */
  happened(takeBack: () => Promise<void>): void
  /** The answer has left in full, or the connection closed before it had. */
  over(isAnswered: boolean): void
}

export class Cancellations {
  private readonly wakeUps: Pick<WorkSignal, 'on' | 'wake'>
  private readonly onError: (error: unknown) => void
  private readonly running = new Map<string, number>()
  private readonly overtaken = new LRUCache<string, true>({ max: mostKept, ttl: crossingMs })
  private readonly crossing = new LRUCache<string, () => void>({
    max: mostKept,
    ttl: crossingMs,
    ttlAutopurge: true,
    dispose: (stop) => stop(),
  })

  constructor(wakeUps: Pick<WorkSignal, 'on' | 'wake'>, onError: (error: unknown) => void) {
    this.wakeUps = wakeUps
    this.onError = onError
  }

  /**
   * `call`: who calls, and the id of the request. Reaches sibling processes too. `isUnique`: no other client can mean the same by it, so
   * that a call which is still to come may be meant.
   */
  cancel(call: string, isUnique: boolean): void {
    if (isUnique && !this.running.has(call)) this.overtaken.set(call, true)
    this.wakeUps.wake(topicOf(call))
  }

  follow(call: string): Followed {
    const controller = new AbortController()
    let undo: (() => Promise<void>) | undefined
    const giveUp = (): void => {
      controller.abort()
      const once = undo
      undo = undefined
      once?.().catch(this.onError)
    }
    // The id of a request that was answered is free again; a new call by it ends the old one's time.
    this.crossing.delete(call)
    this.running.set(call, (this.running.get(call) ?? 0) + 1)
    const off = this.wakeUps.on(topicOf(call), giveUp)
    if (this.overtaken.delete(call)) giveUp()
    return {
      signal: controller.signal,
      happened: (takeBack) => {
        undo = takeBack
        if (controller.signal.aborted) giveUp()
      },
      over: (isAnswered) => {
        const others = this.running.get(call)! - 1
        if (others > 0) this.running.set(call, others)
        else this.running.delete(call)
        if (!isAnswered) giveUp()
        if (undo) this.crossing.set(call, off)
        else off()
      },
    }
  }

  close(): void {
    this.crossing.clear()
  }
}

const topicOf = (call: string): string => `mcp-cancelled ${call}`
