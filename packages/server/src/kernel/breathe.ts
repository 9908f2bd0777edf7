/** Large requests are worked on in pieces: between two of them everybody else's requests, timers and answers have their turn. */

/** A request with a body from here on is a large one. */
export const largeBytes = 128 * 1024

/** Goes on when all that is waiting now has had a turn. */
export const breathe = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
