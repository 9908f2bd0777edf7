/** A token bucket as numbers: how much it holds, how fast it fills. What is in it is the driver's business. */

export interface Limit {
  readonly perMinute: number
  /** What a full bucket holds: so many requests may come at once. */
  readonly capacity: number
  /** Tokens that flow in per millisecond. */
  readonly perMs: number
  /** Seconds in which an empty bucket fills. */
  readonly windowSeconds: number
}

/** `burstSeconds`: for how long unused requests may be saved up. A bucket holds one token at least, or nothing would ever pass. */
export function limitOf(perMinute: number, burstSeconds: number): Limit {
  const capacity = Math.max(1, Math.floor((perMinute * burstSeconds) / 60))
  return { perMinute, capacity, perMs: perMinute / 60_000, windowSeconds: Math.ceil((capacity * 60) / perMinute) }
}

/** What asking for one token gave. */
export interface Taken {
  readonly taken: boolean
  /** What is left; below one when nothing could be taken. */
  readonly tokens: number
}

/** Milliseconds until there is a token; 0 when there is one. */
export const waitMs = ({ perMs }: Limit, tokens: number): number => Math.max(0, (1 - tokens) / perMs)

/** Milliseconds until the bucket is full. */
export const fullMs = ({ capacity, perMs }: Limit, tokens: number): number => Math.max(0, (capacity - tokens) / perMs)
