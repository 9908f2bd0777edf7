import { expect, test } from 'vitest'
import { AnswerMemory, limitsOfHeap, type MemoryLimits, type Seat } from './answer-memory.ts'

const mebibyte = 1024 * 1024
const limits: MemoryLimits = { total: 8 * mebibyte, perPrincipal: 4 * mebibyte, waitingPerPrincipal: 2, waiting: 3, waitMs: 1 }

test('one principal gets its share, the others get theirs', () => {
  const memory = new AnswerMemory({ ...limits, waitMs: 1_000_000 })
  const first = memory.enter('a', 2 * mebibyte, false) as Seat
  void memory.enter('a', 2 * mebibyte, false)
  expect(memory.enter('a', 2 * mebibyte, false)).toBeInstanceOf(Promise)
  expect(memory.enter('b', 4 * mebibyte, false)).not.toBeInstanceOf(Promise)
  expect(memory.inUse).toBe(8 * mebibyte)
  // Nobody waits any more when the test ends.
  first.leave()
})

test('who waits is seated when somebody leaves, in order, past those who are over their own share', async () => {
  const memory = new AnswerMemory({ ...limits, waitMs: 1_000_000 })
  const first = memory.enter('a', 4 * mebibyte, false)
  const other = memory.enter('b', 4 * mebibyte, false)
  if (first instanceof Promise || other instanceof Promise) throw new Error('seated at once')
  const ofA = memory.enter('a', mebibyte, false)
  const ofB = memory.enter('b', mebibyte, false)
  other.leave()
  await ofB
  expect(memory.inUse).toBe(5 * mebibyte)
  first.leave()
  ;(await ofA).leave()
})

test('who waits too long, or behind too many of its own, hears busy; what must go on goes on', async () => {
  const memory = new AnswerMemory(limits)
  void memory.enter('a', 4 * mebibyte, false)
  const waiting = [memory.enter('a', mebibyte, false), memory.enter('a', mebibyte, false)]
  expect(() => memory.enter('a', mebibyte, false)).toThrow(expect.objectContaining({ code: 'busy' }))
  expect(memory.enter('a', 100, true)).not.toBeInstanceOf(Promise)
  for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'busy', details: { retryAfterSeconds: 2 } })
})

test('near the limit of the heap new work is refused, and what keeps or hands in work is not', () => {
  const memory = new AnswerMemory(limits, () => true)
  expect(() => memory.enter('a', 0, false)).toThrow(expect.objectContaining({ code: 'busy' }))
  expect(memory.enter('a', 0, true)).not.toBeInstanceOf(Promise)
})

test('a seat counts what the answer holds, and is given back once', () => {
  const memory = new AnswerMemory(limits)
  const seat = memory.enter('a', 2 * mebibyte, false)
  if (seat instanceof Promise) throw new Error('seated at once')
  seat.hold(500_000)
  expect(memory.inUse).toBe(500_000)
  seat.hold(100)
  expect(memory.inUse).toBe(0)
  seat.hold(500_000)
  seat.leave()
  seat.leave()
  seat.hold(500_000)
  expect(memory.inUse).toBe(0)
})

test('one answer that is larger than every share is given all the same, alone', async () => {
  const memory = new AnswerMemory(limits)
  expect(memory.enter('a', 100 * mebibyte, false)).not.toBeInstanceOf(Promise)
  const other = memory.enter('b', 100, false)
  await expect(other).rejects.toMatchObject({ code: 'busy' })
})

test('the shares follow the heap', () => {
  expect(limitsOfHeap(256 * mebibyte)).toMatchObject({ total: 16 * mebibyte, perPrincipal: 4 * mebibyte })
  expect(limitsOfHeap(16 * mebibyte).total).toBe(8 * mebibyte)
})
