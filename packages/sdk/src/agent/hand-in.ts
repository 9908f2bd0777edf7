/** Handing in what a handler gave back: a result in one piece, or parts and then the order to put them together. */
import { isWorkError } from '../errors.ts'
import type { WorkManagerClient } from '../client.ts'
import type { LeasedItem, SubmitPartOutput } from '../generated/client.ts'
import type { Emit } from './events.ts'
import type { Finalize, Outcome, Part, PartOptions } from './handler.ts'
import type { LeaseKeeper } from './lease-keeper.ts'

export interface HandInDesk {
  part(key: string, payload: object, options?: PartOptions): Promise<SubmitPartOutput>
  /** Resolves with the state of the order. */
  handIn(outcome: Outcome | void): Promise<string>
}

/** The work is done: it is offered until the server answers, or says that the lease is lost. */
const patient = { attempts: 1_000, totalMs: 600_000 }

interface Surroundings {
  readonly item: LeasedItem
  readonly client: WorkManagerClient
  readonly lease: LeaseKeeper
  readonly emit: Emit
  readonly signal: AbortSignal
}

export function openHandInDesk({ item, client, lease, emit, signal }: Surroundings): HandInDesk {
  const held = { item: item.id, lease_token: item.lease_token }
  const { traceparent } = item
  let parts = 0

  async function part(key: string, payload: object, options: PartOptions = {}): Promise<SubmitPartOutput> {
    // Nothing is handed in under a lease that is known to be lost.
    signal.throwIfAborted()
    const receipt = await client.submitPart({ ...held, ...options, part_key: key, payload }, { signal, traceparent })
    parts++
    emit({ kind: 'part_submitted', item, key, revision: receipt.part.revision })
    return receipt
  }

  /** Hands in each part as it comes. A refused part is thrown into a generator, which may yield a corrected one. */
  async function handInParts(source: AsyncIterable<Part, Finalize | void>): Promise<Finalize | void> {
    const iterator = source[Symbol.asyncIterator]()
    let step = await iterator.next()
    try {
      while (!step.done) {
        const { key, payload, ...options } = step.value
        try {
          await part(key, payload, options)
        } catch (error) {
          if (!isWorkError(error, 'verification_failed') || !iterator.throw) throw error
          step = await iterator.throw(error)
          continue
        }
        step = await iterator.next()
      }
    } finally {
      // Lets the generator clean up when something else stopped it.
      if (!step.done) await iterator.return?.()
    }
    return step.value
  }

  async function finalOutcome(outcome: Outcome | void): Promise<Exclude<Outcome, AsyncIterable<Part>>> {
    const given = isIterable(outcome) ? await handInParts(outcome) : outcome
    if (given !== undefined) return given
    if (parts === 0 && !isIterable(outcome))
      throw new TypeError('The handler gave nothing back and handed in no part: return { result }, yield parts, or throw.')
    return { finalize: 'strict' }
  }

  return {
    part,
    async handIn(outcome) {
      const final = await finalOutcome(outcome)
      signal.throwIfAborted()
      lease.handingIn(true)
      try {
        const receipt =
          'finalize' in final
            ? await client.finalizeItem({ ...held, mode: final.finalize, notes: final.notes }, { signal, traceparent, retry: patient })
            : await client.submitItem(
                { ...held, result: final.result, evidence: final.evidence, notes: final.notes },
                { signal, traceparent, retry: patient },
              )
        return receipt.order_state
      } catch (error) {
        lease.handingIn(false)
        throw error
      }
    },
  }
}

function isIterable(outcome: Outcome | void): outcome is AsyncIterable<Part, Finalize | void> {
  return typeof outcome === 'object' && Symbol.asyncIterator in outcome
}
