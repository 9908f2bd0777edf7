/** One item from checkout to its end: handed in, failed, lost or given back. Never rejects because of what the handler does. */
import { isLeaseLost, isWorkError } from '../errors.ts'
import type { WorkManagerClient } from '../client.ts'
import { pause, unlessAborted } from '../pause.ts'
import type { Emit } from './events.ts'
import { classify } from './failures.ts'
import { openHandInDesk } from './hand-in.ts'
import type { Handler, HandlerContext, Outcome, RefusedHandler, WorkItem } from './handler.ts'
import { keepLease, LeaseLostError } from './lease-keeper.ts'

export interface ItemWorker {
  readonly client: WorkManagerClient
  readonly handler: Handler<never>
  readonly onRefused: RefusedHandler<never> | undefined
  readonly maxCorrections: number
  readonly emit: Emit
  /** Aborted when the agent must stop now: running handlers are stopped and what is held is given back. */
  readonly cutOff: AbortSignal
}

/** How long a handler that was told to stop may take for it, before its item is given back all the same. */
const graceMs = 1_000

/** What can be put right under the same lease by handing in something else. */
const correctable = ['verification_failed', 'validation_failed', 'parts_missing'] as const

export async function workItem(item: WorkItem, worker: ItemWorker): Promise<void> {
  const { client, emit, cutOff } = worker
  const lease = keepLease(item, client, emit)
  const signal = AbortSignal.any([lease.signal, cutOff])
  const work = produceAndHandIn(item, worker, lease, signal)
  try {
    const orderState = await unlessAborted(work, signal)
    lease.stop()
    emit({ kind: 'submitted', item, orderState })
  } catch (error) {
    // One that is told to stop may still be busy: its place is taken until it ends, but not beyond the agent's own end.
    const settled = work.then(
      () => {},
      () => {},
    )
    if (lease.signal.aborted) {
      const { reason, message } = lease.signal.reason as LeaseLostError
      emit({ kind: 'lease_lost', item, reason, message })
      await unlessAborted(settled, cutOff).catch(() => Promise.race([settled, pause(graceMs)]))
    } else if (cutOff.aborted) {
      await Promise.race([settled, pause(graceMs)])
      lease.stop()
      await giveBack(item, worker)
    } else {
      lease.stop()
      await reportFailure(item, worker, error)
    }
  } finally {
    lease.stop()
  }
}

/** Runs the handler and hands in what it gives, with as many corrections as are allowed. Resolves with the state of the order. */
async function produceAndHandIn(
  item: WorkItem,
  worker: ItemWorker,
  lease: ReturnType<typeof keepLease>,
  signal: AbortSignal,
): Promise<string> {
  const { handler, onRefused, maxCorrections, emit, client } = worker
  const desk = openHandInDesk({ item, client, lease, emit, signal })
  const context: HandlerContext = {
    item,
    signal,
    heartbeat: lease.heartbeat,
    part: desk.part,
    log: (message, data) => emit({ kind: 'log', item, message, data }),
  }
  let produce = (): Outcome | void | Promise<Outcome | void> => handler(context as HandlerContext<never>)
  for (let correction = 1; ; correction++) {
    let outcome: Outcome | void = undefined
    try {
      outcome = await produce()
      return await desk.handIn(outcome)
    } catch (error) {
      if (!isWorkError(error, ...correctable)) throw error
      const findings = error.errors
      emit({ kind: 'refused', item, findings, message: error.detail })
      if (correction > maxCorrections) throw error
      if (onRefused) {
        const refused = outcome ?? undefined
        const corrected = await onRefused({ ...(context as HandlerContext<never>), findings, refusal: error, refused, correction })
        if (corrected === undefined) throw error
        produce = () => corrected
      } else {
        const lastError = { code: error.code, message: error.detail, details: findings }
        produce = () => handler({ ...(context as HandlerContext<never>), item: { ...item, last_error: lastError } as WorkItem<never> })
      }
    }
  }
}

/** Gives an item back that was not finished; the next agent can have it at once. */
export async function giveBack(item: WorkItem, { client, emit }: Pick<ItemWorker, 'client' | 'emit'>): Promise<void> {
  try {
    await client.releaseItem({ item: item.id, lease_token: item.lease_token }, { traceparent: item.traceparent, retry: { totalMs: 5_000 } })
    emit({ kind: 'released', item })
  } catch (error) {
    reportEnd(item, emit, error)
  }
}

async function reportFailure(item: WorkItem, { client, emit }: ItemWorker, thrown: unknown): Promise<void> {
  if (isLeaseLost(thrown)) return emit({ kind: 'lease_lost', item, reason: thrown.code, message: thrown.detail })
  const { class: failureClass, error, retryAfterSeconds } = classify(thrown)
  const retryAfter = retryAfterSeconds === null ? null : Math.min(604_800, Math.max(0, Math.ceil(retryAfterSeconds)))
  try {
    const { will_retry: willRetry } = await client.failItem(
      { item: item.id, lease_token: item.lease_token, class: failureClass, error, retry_after: retryAfter },
      { traceparent: item.traceparent },
    )
    emit({ kind: 'failed', item, class: failureClass, code: error.code, message: error.message, willRetry, error: thrown })
  } catch (refusal) {
    if (!isLeaseLost(refusal)) emit({ kind: 'trouble', item, error: thrown })
    reportEnd(item, emit, refusal)
  }
}

/** Giving back or failing was refused. */
function reportEnd(item: WorkItem, emit: Emit, error: unknown): void {
  // A hand-in whose answer was lost had arrived.
  if (isWorkError(error, 'already_submitted')) emit({ kind: 'submitted', item, orderState: null })
  else if (isLeaseLost(error)) emit({ kind: 'lease_lost', item, reason: error.code, message: error.detail })
  else emit({ kind: 'trouble', item, error })
}
