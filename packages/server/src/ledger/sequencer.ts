/** Gives committed facts their number and their place in the hash chain (migrations/routines/30_sequencer.sql), and counts them. */
import { countFacts } from '../metrics/from-facts.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { SystemDb } from '../kernel/store/tx.ts'
import { numberFacts } from './store.ts'

/** Small enough to keep its transaction at some tens of milliseconds. */
const batch = 500
const sweepEveryMs = 1000
/**
 * Between two passes that emptied the record. Woken by every commit, a pass per commit would cost the hot path more in commits of its
 * own than it gives: at 32 clients a pass now takes some 60 facts instead of 5.
 */
const restMs = 20

/**
 * One pass. The fast look starts at the newest transaction seen; once a second a sweep from the low-water mark picks up facts of slow
 * transactions, which therefore delay only themselves. Returns -1 done when another process is the sequencer just now.
 */
export function createSequencer(
  system: SystemDb,
  metrics: Metrics,
  now: () => number = Date.now,
): { run(): Promise<{ done: number; more: boolean }>; sweep(): Promise<number> } {
  let sweptAt = 0
  let restUntil = 0
  const pass = async (sweep: boolean): Promise<number> => {
    const { done, facts } = await numberFacts(system, { limit: batch, sweep })
    // After the commit of the pass: what is counted has its number, and nothing is counted twice.
    if (facts) countFacts(metrics, facts)
    return done
  }
  return {
    async run() {
      const rest = restUntil - performance.now()
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest))
      const due = now() - sweptAt >= sweepEveryMs
      const done = await pass(due)
      if (due && done < batch) sweptAt = now()
      restUntil = done > 0 && done < batch ? performance.now() + restMs : 0
      return { done: Math.max(0, done), more: done === batch }
    },
    async sweep() {
      let total = 0
      for (;;) {
        const done = await pass(true)
        total += Math.max(0, done)
        if (done < batch) return total
      }
    },
  }
}
