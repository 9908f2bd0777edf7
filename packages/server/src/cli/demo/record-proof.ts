/** Reads the record back: how many events an order left, and whether the ledger numbers around them are without a gap. */
import { countdown } from '../../kernel/countdown.ts'
import type { WorkApi } from './client.ts'
import { pause } from './pause.ts'

export interface RecordProof {
  readonly events: number
  readonly firstSeq: number
  readonly lastSeq: number
  /** Numbers between first and last that no event of the tenant carries. */
  readonly missing: number
}

const longestWaitMs = 10_000
const mostPages = 200

/** Null when the events of the order did not get their numbers in time. */
export async function proveRecord(orderId: string, api: WorkApi, signal: AbortSignal): Promise<RecordProof | null> {
  const seqs = await untilSequenced(orderId, api, signal)
  if (seqs === null) return null
  const [firstSeq, lastSeq] = [seqs[0] as number, seqs.at(-1) as number]
  const seen = new Set<number>()
  let cursor: string | null = null
  for (let page = 0; page < mostPages; page++) {
    const { events, next_cursor } = await api.events(cursor)
    for (const { seq } of events) if (seq !== null && seq >= firstSeq && seq <= lastSeq) seen.add(seq)
    cursor = next_cursor
    // Newest first; a page that lies wholly before the order ends the search.
    if (cursor === null || events.every(({ seq }) => seq !== null && seq < firstSeq)) break
  }
  return { events: seqs.length, firstSeq, lastSeq, missing: lastSeq - firstSeq + 1 - seen.size }
}

/** The numbers of the order's events, once the last of them (its completion) has one. */
async function untilSequenced(orderId: string, api: WorkApi, signal: AbortSignal): Promise<number[] | null> {
  const seqs: number[] = []
  const leftMs = countdown(longestWaitMs)
  for (let after = 0, isComplete = false; ;) {
    const { events, last_seq } = await api.timeline(orderId, after)
    for (const event of events) {
      if (event.seq !== null) seqs.push(event.seq)
      isComplete ||= event.kind === 'order.completed'
    }
    after = last_seq ?? after
    if (events.length > 0) continue
    if (isComplete) return seqs
    if (leftMs() < 0) return null
    await pause(50, signal)
    signal.throwIfAborted()
  }
}
