/**
 * Refusals by a limit, counted one by one and told in few lines: the first of a kind at once, then every ten seconds how many there
 * were and whose. A flood costs a log no more than that, and memory no more than a few names.
 */
import type { Logger } from 'pino'
import type { Metrics } from '../metrics/metrics.ts'
import type { Scope } from './admission.ts'

interface Tally {
  refused: number
  readonly by: Map<string, number>
  timer: NodeJS.Timeout
}

const quietMs = 10_000
/** Names kept between two lines; of a flood from more addresses the others are counted without a name. */
const mostNames = 100
const shownNames = 5

export class Violations {
  private readonly tallies = new Map<Scope, Tally>()
  private readonly log: Logger
  private readonly metrics: Metrics

  constructor({ log, metrics }: { readonly log: Logger; readonly metrics: Metrics }) {
    this.log = log
    this.metrics = metrics
  }

  /** `who` goes into the log only; the metric has bounded labels. */
  note(scope: Scope, tier: string, who: string): void {
    this.metrics.increment('rate_limited_total', { scope, tier })
    const tally = this.tallies.get(scope)
    if (tally === undefined) {
      this.log.warn({ component: 'rate limits', scope, tier, who }, 'rate limit exceeded')
      this.tallies.set(scope, { refused: 0, by: new Map(), timer: this.armed(scope) })
      return
    }
    tally.refused++
    const count = tally.by.get(who)
    if (count !== undefined || tally.by.size < mostNames) tally.by.set(who, (count ?? 0) + 1)
  }

  /** Says what has not been said yet and ends the timers. */
  stop(): void {
    for (const [scope, tally] of this.tallies) {
      clearTimeout(tally.timer)
      this.tell(scope, tally)
    }
    this.tallies.clear()
  }

  private armed(scope: Scope): NodeJS.Timeout {
    return setTimeout(() => {
      const tally = this.tallies.get(scope)
      if (tally === undefined) return
      this.tell(scope, tally)
      // After a quiet time the next one is news again.
      if (tally.refused === 0) this.tallies.delete(scope)
      else this.tallies.set(scope, { refused: 0, by: new Map(), timer: this.armed(scope) })
    }, quietMs).unref()
  }

  private tell(scope: Scope, { refused, by }: Tally): void {
    if (refused === 0) return
    const most = [...by].toSorted((a, b) => b[1] - a[1]).slice(0, shownNames)
    this.log.warn(
      { component: 'rate limits', scope, refused, callers: by.size, most: Object.fromEntries(most) },
      'rate limit exceeded, repeatedly',
    )
  }
}
