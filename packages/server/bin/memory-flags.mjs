/**
 * With which memory a server's Node runs. Plain JavaScript: it is asked before anything else runs, by the command line, by `npm start`
 * and by the benchmark.
 */
import { totalmem } from 'node:os'

const GIB = 1024 ** 3

/** The flags of the first line of the program, which a machine with little memory keeps. */
export const smallest = flagsFor(0)

/**
 * V8 sizes its heap by the machine: on a large one a busy server would let garbage pile up (389 MB after 16,000 cycles), so both
 * generations have their sizes. The young one holds what lives for one round trip to the database. When that does not fit, it is
 * copied to the old one and dies there: 0.40 ms of processor time a cycle instead of 0.33 at 128 clients with 8 MB instead of 32, which
 * take 50 MB more of resident memory (bench/README.md).
 *
 * V8 also makes objects old from the start where their kind has outlived a few collections before. What waits for the database has, so the
 * list of who is told that an answer is closed was made old, and kept each answer and its request with it until the next full collection:
 * 3.7 MB of every 24 were copied to the old generation, and 19 full collections did what 6 do without it.
 *
 * @param {number} memory bytes that this process may use, as `usableMemory` says
 * @returns {string[]} flags of Node
 */
export function flagsFor(memory) {
  const young = memory >= 2 * GIB ? 32 : memory >= GIB ? 16 : 8
  return ['--max-semi-space-size=' + young, '--max-old-space-size=512', '--no-allocation-site-pretenuring']
}

/** Bytes: the limit of the container where there is one, else what the machine has. */
export function usableMemory() {
  const limit = process.constrainedMemory ? process.constrainedMemory() : 0
  // Without a limit it is 0 or, on some kernels, a number larger than any memory.
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
