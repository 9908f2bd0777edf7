/** How the connections of one process are shared among its pools. Pure. */

export interface ConnectionShares {
  readonly app: number
  readonly system: number
  /** For what is no clean case of a window. */
  readonly hot: number
  /** One window is on the wire while another commits. */
  readonly windows: number
}

/** With fewer there is no pool that works: two for requests, two for sweeps, one each for the lease verbs' two ways. */
export const fewestConnections = 6

/** Together never more than `most`. Throws below `fewestConnections`: a pool of none would wait for ever. */
export function shareConnections(most: number): ConnectionShares {
  if (most < fewestConnections) throw new RangeError(`${most} database connections are too few: every process needs ${fewestConnections}.`)
  const quarter = Math.floor(most / 4)
  const windows = most < 12 ? 1 : 2
  const hot = most < 8 ? 1 : Math.max(2, Math.min(4, quarter - windows))
  const system = Math.max(2, Math.min(6, quarter))
  return { app: most - system - hot - windows, system, hot, windows }
}
