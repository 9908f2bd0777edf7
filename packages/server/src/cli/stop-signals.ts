/** Ctrl-C for servers: the first one stops in good order, the second at once. */

/** npm repeats a Ctrl-C to its child within milliseconds; that is not a second wish. */
const sameWishMs = 300

/**
 * Listens for SIGINT and SIGTERM. Only a second signal of the same kind counts as impatience: a supervisor that follows a
 * Ctrl-C with SIGTERM repeats the first wish. Returns how to stop listening.
 */
export function onStopSignal(first: () => void, again: () => void, clock: () => number = () => performance.now()): () => void {
  const seen = new Map<NodeJS.Signals, number>()
  const handle = (signal: NodeJS.Signals) => {
    const now = clock()
    const before = seen.get(signal)
    if (before !== undefined && now - before < sameWishMs) return
    const firstOfAll = seen.size === 0
    seen.set(signal, now)
    if (firstOfAll) first()
    else if (before !== undefined) again()
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
  return () => {
    process.off('SIGINT', handle)
    process.off('SIGTERM', handle)
  }
}
