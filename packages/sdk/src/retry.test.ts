import { describe, expect, it } from 'vitest'
import { WorkManagerConnectionError, WorkManagerError } from './errors.ts'
import { retryBounds, waitBeforeRepeat } from './retry.ts'

const about = { operation: 'submit_item', idempotencyKey: null }
const refusal = (code: string, retry: string, retryAfterMs: number | null = null): WorkManagerError =>
  new WorkManagerError({ ...about, status: 503, problem: { code, retry }, requestId: null, retryAfterMs })
const bounds = retryBounds()
const first = { attempt: 1, elapsedMs: 0, isRepeatable: true }

describe('whether a call is sent again', () => {
  it.each([
    ['the connection broke', new WorkManagerConnectionError('unreachable', '', about), true],
    ['no answer in time', new WorkManagerConnectionError('timeout', '', about), true],
    ['a proxy answered', new WorkManagerConnectionError('unavailable', '', about), true],
    ['something else answers', new WorkManagerConnectionError('not_work_manager', '', about), false],
    ['later', refusal('database_unavailable', 'later'), true],
    ['never', refusal('validation_failed', 'never'), false],
    ['after a refresh', refusal('content_changed', 'after_refresh'), false],
    ['no items: an answer, not a failure', refusal('no_items_available', 'later'), false],
    ['an error of our own', new TypeError('no JSON'), false],
  ])('%s', (_, error, isSentAgain) => {
    expect(waitBeforeRepeat({ ...first, error }, bounds, 0.5) !== null).toBe(isSentAgain)
  })

  it('a call that makes something new each time is repeated only when nothing was done', () => {
    const made = { ...first, isRepeatable: false }
    expect(waitBeforeRepeat({ ...made, error: refusal('database_unavailable', 'later') }, bounds, 0.5)).toBeNull()
    expect(waitBeforeRepeat({ ...made, error: new WorkManagerConnectionError('unreachable', '', about) }, bounds, 0.5)).toBeNull()
    expect(waitBeforeRepeat({ ...made, error: refusal('draining', 'later') }, bounds, 0.5)).not.toBeNull()
    expect(waitBeforeRepeat({ ...made, error: refusal('rate_limited', 'later', 2_000) }, bounds, 0)).toBe(2_000)
  })

  it('is asked of the caller last, and only about what would be repeated', () => {
    const asked: unknown[] = []
    const onlyLimits = retryBounds({
      on: (error) => (asked.push(error.message), error instanceof WorkManagerError && error.code === 'rate_limited'),
    })
    expect(waitBeforeRepeat({ ...first, error: refusal('rate_limited', 'later') }, onlyLimits, 0.5)).not.toBeNull()
    expect(waitBeforeRepeat({ ...first, error: refusal('busy', 'later') }, onlyLimits, 0.5)).toBeNull()
    expect(waitBeforeRepeat({ ...first, error: new WorkManagerConnectionError('unreachable', 'gone', about) }, onlyLimits, 0.5)).toBeNull()
    expect(waitBeforeRepeat({ ...first, error: refusal('validation_failed', 'never') }, onlyLimits, 0.5)).toBeNull()
    expect(asked).toHaveLength(3)
  })

  it('attempts and total time are bounded, and false means once', () => {
    const error = refusal('busy', 'later')
    expect(waitBeforeRepeat({ ...first, attempt: bounds.attempts, error }, bounds, 0.5)).toBeNull()
    expect(waitBeforeRepeat({ ...first, elapsedMs: bounds.totalMs, error }, bounds, 0.5)).toBeNull()
    expect(waitBeforeRepeat({ ...first, error: refusal('storage_low', 'later', bounds.totalMs + 1) }, bounds, 0.5)).toBeNull()
    expect(waitBeforeRepeat({ ...first, error }, retryBounds({ attempts: 3 }, false), 0.5)).toBeNull()
  })
})

describe('how long it waits', () => {
  it('full jitter: from nothing to twice as much each time, up to the maximum', () => {
    const error = refusal('busy', 'later')
    const most = (attempt: number) => waitBeforeRepeat({ ...first, attempt, error }, { ...bounds, attempts: 99, totalMs: Infinity }, 1)
    expect([1, 2, 3, 20].map(most)).toEqual([250, 500, 1000, 10_000])
    expect(waitBeforeRepeat({ ...first, error }, bounds, 0)).toBe(0)
  })

  it('never less than the server asked for', () => {
    const error = refusal('busy', 'later', 3_000)
    expect(waitBeforeRepeat({ ...first, error }, bounds, 0)).toBe(3_000)
    expect(waitBeforeRepeat({ ...first, error }, bounds, 1)).toBe(3_250)
  })

  it('a policy replaces the one before it, member by member', () => {
    expect(retryBounds({ attempts: 3, baseMs: 1 }, { attempts: 4, totalMs: undefined })).toEqual({ ...bounds, attempts: 4, baseMs: 1 })
  })
})
