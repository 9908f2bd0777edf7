import { expect, it } from 'vitest'
import { TookTooLong, within } from './time-limit.ts'

const never = () => new Promise<never>(() => {})

it('gives the value, or what was thrown', async () => {
  expect(await within('a', 1_000, () => 7)).toBe(7)
  await expect(within('a', 1_000, () => Promise.reject(new TypeError('x')))).rejects.toThrow(TypeError)
})

it('ends the wait for code that ignores its signal, and tells code that does not', async () => {
  let seen: AbortSignal | undefined
  await expect(
    within('slow', 5, (signal) => {
      seen = signal
      return never()
    }),
  ).rejects.toThrow(new TookTooLong('slow', 5))
  expect(seen!.aborted).toBe(true)
})

it('ends with the reason of the caller when the caller gives up, before or meanwhile', async () => {
  const reason = new Error('interrupted')
  const caller = new AbortController()
  let seen: AbortSignal | undefined
  const running = within(
    'a',
    60_000,
    (signal) => {
      seen = signal
      return never()
    },
    caller.signal,
  )
  caller.abort(reason)
  await expect(running).rejects.toBe(reason)
  expect(seen!.aborted).toBe(true)
  await expect(within('a', 60_000, never, caller.signal)).rejects.toBe(reason)
})
