import { expect, test } from 'vitest'
import { createSharedSignal } from './shared-signal.ts'
import { topics } from './work-signal.ts'

/** Two processes whose messages reach each other. */
function siblings() {
  const sent: string[][] = []
  const one = createSharedSignal((told) => {
    sent.push([...told])
    other.hear(told)
  })
  const other = createSharedSignal((told) => one.hear(told))
  return { one, other, sent }
}

test('a wake-up reaches who waits in the other process, and is not sent back', async () => {
  const { one, other, sent } = siblings()
  const waiting = other.signal.wait('ready:t1', 10_000)
  one.signal.wake('ready:t1')
  expect(await waiting).toBe(true)
  expect(sent).toEqual([['ready:t1']])
})

test('many wake-ups of one moment are one message', async () => {
  const { one, other, sent } = siblings()
  const waiting = other.signal.wait('settled:o2', 10_000)
  for (let n = 0; n < 100; n++) one.signal.wake('ready:t1')
  one.signal.wake('settled:o2')
  expect(await waiting).toBe(true)
  expect(sent).toEqual([['ready:t1', 'settled:o2']])
})

test('what only background tools wait for stays in its process', async () => {
  const { one, other, sent } = siblings()
  let heard = 0
  one.signal.on(topics.events, () => heard++)
  const waiting = other.signal.wait('ready:t1', 10_000)
  one.signal.wake(topics.events)
  one.signal.wake('ready:t1')
  await waiting
  expect(heard).toBe(1)
  expect(sent).toEqual([['ready:t1']])
})

test('a burst of topics is cut: who is not told looks by itself', async () => {
  const { one, other, sent } = siblings()
  const waiting = other.signal.wait('settled:0', 10_000)
  for (let n = 0; n < 5000; n++) one.signal.wake(`settled:${n}`)
  await waiting
  expect(sent[0]).toHaveLength(1000)
})
