/** A pause between 0 and `baseMs` doubled `failures` times, at most `mostMs`: full jitter, so that many do not come back at once. */
export function fullJitter(backoff: { readonly baseMs: number; readonly mostMs: number }, failures: number): number {
  return Math.random() * Math.min(backoff.mostMs, backoff.baseMs * 2 ** Math.min(failures, 20))
}
