import { expect, test } from 'vitest'
import { fullMs, limitOf, waitMs } from '../limit.ts'
import { createMemoryLimiter } from './memory.ts'

const start = (options: { mostBuckets?: number } = {}) => {
  const clock = { ms: 1_000 }
  return { clock, limiter: createMemoryLimiter({ now: () => clock.ms, ...options }) }
}
const takeAll = (take: () => boolean): number => {
  let taken = 0
  while (taken < 100_000 && take()) taken++
  return taken
}

test.each([
  { perMinute: 100, burstSeconds: 60, capacity: 100, windowSeconds: 60 },
  { perMinute: 100, burstSeconds: 6, capacity: 10, windowSeconds: 6 },
  { perMinute: 1, burstSeconds: 1, capacity: 1, windowSeconds: 60 },
  { perMinute: 10_000, burstSeconds: 60, capacity: 10_000, windowSeconds: 60 },
  { perMinute: 7, burstSeconds: 60, capacity: 7, windowSeconds: 60 },
])('$perMinute a minute, saved for $burstSeconds s: a full bucket is $capacity, and exactly those pass at once', (given) => {
  const limit = limitOf(given.perMinute, given.burstSeconds)
  expect(limit).toMatchObject({ capacity: given.capacity, windowSeconds: given.windowSeconds })
  const { limiter, clock } = start()
  expect(takeAll(() => limiter.take('k', limit).taken)).toBe(given.capacity)
  clock.ms += fullMs(limit, limiter.left('k', limit)) + 0.001
  expect(takeAll(() => limiter.take('k', limit).taken)).toBe(given.capacity)
})

test('an empty bucket fills steadily: one token after one interval, and never more than the bucket holds', () => {
  const limit = limitOf(600, 1)
  const { limiter, clock } = start()
  expect(takeAll(() => limiter.take('k', limit).taken)).toBe(10)
  const { tokens } = limiter.take('k', limit)
  expect(waitMs(limit, tokens)).toBe(100)
  clock.ms += 99
  expect(limiter.take('k', limit).taken).toBe(false)
  clock.ms += 1
  expect(limiter.take('k', limit).taken).toBe(true)
  expect(limiter.take('k', limit).taken).toBe(false)
  clock.ms += 3_600_000
  expect(takeAll(() => limiter.take('k', limit).taken)).toBe(10)
})

test('refusals cost nothing: who keeps asking gets its token as soon as who waits', () => {
  const limit = limitOf(60, 1)
  const { limiter, clock } = start()
  expect(limiter.take('k', limit).taken).toBe(true)
  for (let ms = 0; ms < 999; ms++) {
    clock.ms += 1
    expect(limiter.take('k', limit).taken).toBe(false)
  }
  clock.ms += 1.001
  expect(limiter.take('k', limit).taken).toBe(true)
})

test('a clock that is set back neither fills nor empties a bucket', () => {
  const limit = limitOf(60, 10)
  const { limiter, clock } = start()
  for (let n = 0; n < 4; n++) limiter.take('k', limit)
  clock.ms -= 500_000
  expect(limiter.left('k', limit)).toBe(6)
  expect(limiter.take('k', limit).tokens).toBe(5)
  clock.ms += 1_000
  expect(limiter.take('k', limit).tokens).toBe(5)
})

test('a token given back can be taken again, and a full bucket stays full', () => {
  const limit = limitOf(2, 60)
  const { limiter } = start()
  limiter.take('k', limit)
  limiter.giveBack('k', limit)
  limiter.giveBack('k', limit)
  expect(takeAll(() => limiter.take('k', limit).taken)).toBe(2)
})

test('one key costs another nothing, and a flood of keys does not grow the memory', () => {
  const limit = limitOf(3, 60)
  const { limiter } = start({ mostBuckets: 100 })
  for (let n = 0; n < 10_000; n++) expect(limiter.take(`k${n}`, limit).tokens).toBe(2)
  expect(limiter.size).toBe(100)
})

test('a lower limit counts at once: what was saved up beyond it is gone', () => {
  const { limiter } = start()
  limiter.take('k', limitOf(1_000, 60))
  expect(takeAll(() => limiter.take('k', limitOf(10, 60)).taken)).toBe(10)
})
