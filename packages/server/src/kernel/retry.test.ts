import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Backoff, backoffSeconds, decideAfterFailure, failureClasses } from './retry.ts'

const backoff: Backoff = { baseSeconds: 30, maxSeconds: 3600, jitterSeconds: 10 }
const anyBackoff = fc.record({
  baseSeconds: fc.integer({ min: 0, max: 10_000 }),
  maxSeconds: fc.integer({ min: 0, max: 100_000 }),
  jitterSeconds: fc.integer({ min: 0, max: 100 }),
})
const chance = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })

describe('backoff', () => {
  it('doubles its window up to the limit', () => {
    const widest = [1, 2, 3, 8, 9, 1000].map((attempt) => backoffSeconds(attempt, backoff, 1))
    expect(widest).toEqual([40, 70, 130, 3610, 3610, 3610])
  })

  it('stays inside its window and finite, whatever the attempt', () => {
    fc.assert(
      fc.property(fc.integer({ min: -5, max: 100_000 }), anyBackoff, chance, (attempt, limits, random) => {
        const seconds = backoffSeconds(attempt, limits, random)
        expect(seconds).toBeGreaterThanOrEqual(0)
        expect(seconds).toBeLessThanOrEqual(limits.maxSeconds + limits.jitterSeconds)
      }),
    )
  })

  it('a later attempt never has a narrower window', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), anyBackoff, chance, (attempt, limits, random) => {
        expect(backoffSeconds(attempt + 1, limits, random)).toBeGreaterThanOrEqual(backoffSeconds(attempt, limits, random))
      }),
    )
  })
})

describe('after a failed attempt', () => {
  it.each(failureClasses.flatMap((failure) => [1, 2, 3, 4].map((attempts) => ({ failure, attempts }))))(
    '$failure after attempt $attempts of 3',
    ({ failure, attempts }) => {
      const next = decideAfterFailure(failure, attempts, 3, backoff, 0.5)
      const again = (failure === 'transient' || failure === 'agent') && attempts < 3
      expect(next.kind).toBe(again ? 'retry' : 'final')
    },
  )

  it('waits as long as the agent asks, when that is longer', () => {
    expect(decideAfterFailure('transient', 1, 3, backoff, 0.5, 900)).toEqual({ kind: 'retry', delaySeconds: 900 })
    expect(decideAfterFailure('transient', 1, 3, backoff, 0.5, 1)).toEqual({ kind: 'retry', delaySeconds: 20 })
    expect(decideAfterFailure('permanent', 1, 3, backoff, 0.5, 900)).toEqual({ kind: 'final' })
  })

  it('every chain of failures ends', () => {
    fc.assert(
      fc.property(fc.constantFrom(...failureClasses), fc.integer({ min: 1, max: 50 }), chance, (failure, max, random) => {
        let grants = 0
        do grants++
        while (decideAfterFailure(failure, grants, max, backoff, random).kind === 'retry')
        expect(grants).toBeLessThanOrEqual(max)
      }),
    )
  })
})
