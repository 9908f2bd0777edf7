/** When a worker that died is started again, and when that has no sense any more. */

/** A worker that served this long was well; what ended it is news. */
const healthyAfterMs = 30_000
const firstPauseMs = 100
const longestPauseMs = 5_000
const mostDeathsInARow = 5

export interface RestartPolicy {
  /** Told of every death with how long the worker had served; answers with the pause before the next start, or null: give up. */
  died(servedMs: number): number | null
}

export function createRestartPolicy(): RestartPolicy {
  let deathsInARow = 0
  return {
    died(servedMs) {
      deathsInARow = servedMs >= healthyAfterMs ? 1 : deathsInARow + 1
      return deathsInARow >= mostDeathsInARow ? null : Math.min(longestPauseMs, firstPauseMs * 2 ** (deathsInARow - 1))
    },
  }
}
