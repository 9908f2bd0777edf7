/**
 * Durations are measured by the clock that only goes forward: the wall clock is set, by people and by the network, and a wait of four
 * seconds lasted two hours after it had been set back. Promises (leases, keys, due times) are the database's instants.
 */

/** Milliseconds that are left of `ms` from now; zero or less when they are over. */
export function countdown(ms: number): () => number {
  const end = performance.now() + ms
  return () => end - performance.now()
}
