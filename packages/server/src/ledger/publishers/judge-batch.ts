/** From what became of each message to where the cursor stands. Pure. */
import type { Cursor, LedgerEvent, Refusal, Settlement } from './cursors.store.ts'
import type { Outcome, PublishError } from './publisher.ts'

export interface Sent {
  readonly event: LedgerEvent
  readonly outcome: Outcome
}

export interface Verdict {
  readonly settlement: Omit<Settlement, 'retryInMs'>
  readonly delivered: number
  readonly parked: readonly Refusal[]
  /** Why something failed. */
  readonly error: PublishError | null
}

/**
 * The cursor goes to the last event before which nothing is open; what was delivered beyond is remembered, so that it is not sent twice.
 * A message that was refused `maxTries` times is parked and holds nothing back any more; one that failed never is.
 */
export function judgeBatch(batch: {
  readonly cursor: Cursor
  readonly retried: readonly Sent[]
  readonly sent: readonly Sent[]
  readonly tries: ReadonlyMap<number, number>
  readonly maxTries: number
  /** The window's end, when all of it was read. */
  readonly through: number | null
}): Verdict {
  const { cursor, retried, sent, tries, maxTries, through } = batch
  const refusals = [...retried, ...sent].flatMap(({ event, outcome }): Refusal[] =>
    outcome.is === 'refused'
      ? [
          {
            event,
            reason: outcome.reason,
            parked: retried.some((one) => one.event === event) || (tries.get(event.seq) ?? 0) + 1 >= maxTries,
          },
        ]
      : [],
  )
  const parked = refusals.filter((refusal) => refusal.parked)
  const deliveredSeqs = [...retried, ...sent].flatMap(({ event, outcome }) => (outcome.is === 'delivered' ? [event.seq] : []))
  const over = new Set([...deliveredSeqs, ...parked.map(({ event }) => event.seq)])
  const open = sent.find(({ event }) => !over.has(event.seq))
  const last = sent.at(-1)?.event.seq ?? cursor.seq
  const seq = open ? open.event.seq - 1 : Math.max(cursor.seq, through ?? last)
  const ahead = [...cursor.ahead, ...sent.map(({ event }) => event.seq).filter((each) => over.has(each))].filter((each) => each > seq)
  const failure = [...retried, ...sent].find(({ outcome }) => outcome.is === 'failed')?.outcome
  const error = failure?.is === 'failed' ? failure.error : null
  const reason = error?.message ?? refusals[0]?.reason ?? null
  // A refusal that will be tried again waits a little; a tenant whose cursor moved on starts counting anew.
  const waits = error !== null || refusals.length > parked.length
  return {
    settlement: {
      seq,
      ahead: [...new Set(ahead)].sort((a, b) => a - b),
      failures: waits ? (seq > cursor.seq ? 1 : cursor.failures + 1) : 0,
      error: reason,
      deliveredSeqs,
      refusals,
    },
    delivered: deliveredSeqs.length,
    parked,
    error,
  }
}
