/** The agent loop: check out, work, hand in, again; until it is told to stop, and then without leaving anything behind. */
import { createClient, type ClientOptions } from '../client.ts'
import { isWorkError, WorkManagerConnectionError, WorkManagerError } from '../errors.ts'
import { pause, unlessAborted } from '../pause.ts'
import { startReport, type AgentEvent, type AgentTotals } from './events.ts'
import type { Handler, RefusedHandler, WorkItem } from './handler.ts'
import { itemSource } from './next-item.ts'
import { giveBack, workItem, type ItemWorker } from './work-item.ts'

export interface AgentOptions<Input = unknown> extends ClientOptions {
  /** Only items of orders of these types; default all. */
  readonly types?: readonly string[]
  /** Only items of this order. */
  readonly order?: string
  /** Only orders of at least this priority. */
  readonly minPriority?: number
  /** How many items at once (default 1). */
  readonly concurrency?: number
  readonly handler: Handler<Input>
  /** Corrects a refused hand-in. Without it the handler runs again, with the findings in `item.last_error`. */
  readonly onRefused?: RefusedHandler<Input>
  /** How often a refused item is corrected under the same lease before it counts as failed (default 2). */
  readonly maxCorrections?: number
  readonly onEvent?: (event: AgentEvent) => void
  /** Stops the agent: it takes nothing more, finishes what it holds within `drainSeconds`, and gives the rest back. */
  readonly signal?: AbortSignal
  /** How long running handlers may go on after the signal (default 20). */
  readonly drainSeconds?: number
  /** How long one poll waits for work on the server's side (default 20, with stopWhenIdle 0; at most 60). */
  readonly waitSeconds?: number
  /** Ends as soon as there is nothing to do and nothing in hand, instead of waiting for more. */
  readonly stopWhenIdle?: boolean
}

const longestTroubleMs = 30_000
/** A server that does not wait (it may be configured so, or be stopping) is not asked more often than this. */
const shortestPollMs = 1_000
/** A checkout that is under way when the agent is told to stop may answer for so long: hanging up could leave an item leased to nobody. */
const lastAnswerMs = 500

/**
 * Runs until `signal` is aborted (or, with stopWhenIdle, until there is nothing to do), and resolves with what was done. A server that is
 * away for a while is waited for. Rejects with WorkManagerError when checking out is refused for good (key, ability, a type that nobody knows) and with
 * WorkManagerConnectionError when the address is wrong, both after giving back what is held; with TypeError for options that cannot work.
 */
export async function runAgent<Input = unknown>(options: AgentOptions<Input>): Promise<AgentTotals> {
  const { types = [], order, minPriority, concurrency = 1, maxCorrections = 2, drainSeconds = 20, stopWhenIdle = false } = options
  // Whoever stops when there is nothing to do asks, and does not wait for something to come.
  const { waitSeconds = stopWhenIdle ? 0 : 20 } = options
  inRange({ concurrency }, 1, 10_000)
  inRange({ maxCorrections }, 0, 1_000)
  inRange({ drainSeconds }, 0, 86_400)
  inRange({ waitSeconds }, 0, 60)
  if (typeof options.handler !== 'function') throw new TypeError('handler must be a function: ({ item, signal }) => ({ result }).')
  if (order !== undefined && (types.length > 0 || minPriority !== undefined))
    throw new TypeError('order already says which items: leave types and minPriority out.')

  const client = createClient(options)
  const nextItem = itemSource(client, { types, order, minPriority, waitSeconds })
  const { emit, totals } = startReport(options.onEvent)
  const cutOff = new AbortController()
  const stopping = options.signal ?? new AbortController().signal
  const polling = new AbortController()
  let hangUp: ReturnType<typeof setTimeout> | undefined
  const endPolling = (): void => {
    hangUp = setTimeout(() => polling.abort(stopping.reason), lastAnswerMs)
  }
  stopping.addEventListener('abort', endPolling, { once: true })
  const worker: ItemWorker = {
    client,
    handler: options.handler as Handler<never>,
    onRefused: options.onRefused as RefusedHandler<never> | undefined,
    maxCorrections,
    emit,
    cutOff: cutOff.signal,
  }
  const working = new Set<Promise<void>>()
  const start = (item: WorkItem): void => {
    const work = workItem(item, worker).finally(() => working.delete(work))
    working.add(work)
  }

  let refusal: unknown
  let troubles = 0
  while (!stopping.aborted) {
    if (working.size >= concurrency) {
      await unlessAborted(Promise.race(working), stopping).catch(ignoreStop(stopping))
      continue
    }
    const askedAt = performance.now()
    try {
      const item = await nextItem(polling.signal, stopping)
      troubles = 0
      if (item === null) {
        emit({ kind: 'idle' })
        if (stopWhenIdle && working.size === 0) break
        const leftMs = shortestPollMs - (performance.now() - askedAt)
        const rest = pause(Math.max(0, leftMs) * (1 + Math.random()), stopping)
        // The end of what is being worked on may be the end of all work, or bring more.
        await (stopWhenIdle ? Promise.race([rest, ...working]) : rest)
        continue
      }
      emit({ kind: 'checked_out', item })
      if (stopping.aborted) await giveBack(item, worker)
      else start(item)
    } catch (error) {
      if (stopping.aborted) break
      if (isFinal(error)) {
        refusal = error
        break
      }
      emit({ kind: 'trouble', item: null, error })
      // Sooner than the server said would be in vain.
      const askedMs = error instanceof WorkManagerError ? (error.retryAfterMs ?? 0) : 0
      await pause(askedMs + Math.random() * Math.min(longestTroubleMs, 500 * 2 ** Math.min(troubles++, 10)), stopping)
    }
  }

  stopping.removeEventListener('abort', endPolling)
  clearTimeout(hangUp)
  await drain(working, cutOff, drainSeconds, (holding) => emit({ kind: 'draining', holding }))
  if (refusal !== undefined) throw refusal as Error
  return totals()
}

async function drain(
  working: ReadonlySet<Promise<void>>,
  cutOff: AbortController,
  seconds: number,
  tell: (holding: number) => void,
): Promise<void> {
  if (working.size === 0) return
  tell(working.size)
  const timer = setTimeout(() => cutOff.abort(new Error(`The agent stops, and its ${seconds} s for finishing are over.`)), seconds * 1000)
  await Promise.all(working)
  clearTimeout(timer)
}

/** Asking again cannot help: the key, the ability or the address is wrong. */
function isFinal(error: unknown): boolean {
  if (error instanceof WorkManagerConnectionError) return error.reason === 'not_work_manager'
  return !(error instanceof WorkManagerError) || (isWorkError(error) && error.retry === 'never')
}

const ignoreStop =
  (stopping: AbortSignal) =>
  (error: unknown): void => {
    if (!stopping.aborted) throw error
  }

function inRange(option: Readonly<Record<string, number>>, least: number, most: number): void {
  for (const [name, value] of Object.entries(option))
    if (!(value >= least && value <= most && (name.endsWith('Seconds') || Number.isInteger(value))))
      throw new TypeError(`${name} must be a number from ${least} to ${most}, not ${String(value)}.`)
}
