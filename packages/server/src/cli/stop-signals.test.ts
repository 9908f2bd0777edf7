import { expect, test } from 'vitest'
import { onStopSignal } from './stop-signals.ts'

function listen() {
  const time = { ms: 0 }
  const heard: string[] = []
  const stop = onStopSignal(
    () => heard.push('first'),
    () => heard.push('again'),
    () => time.ms,
  )
  return { heard, stop, time }
}

test('the first signal asks once, however often it is repeated at the same moment', () => {
  const { heard, stop } = listen()
  process.emit('SIGINT', 'SIGINT')
  process.emit('SIGINT', 'SIGINT')
  expect(heard).toEqual(['first'])
  stop()
})

test('another kind of signal repeats the wish; the same kind later is impatience', () => {
  const { heard, stop, time } = listen()
  process.emit('SIGINT', 'SIGINT')
  process.emit('SIGTERM', 'SIGTERM')
  expect(heard).toEqual(['first'])
  time.ms += 1000
  process.emit('SIGINT', 'SIGINT')
  expect(heard).toEqual(['first', 'again'])
  stop()
})

test('afterwards nothing is listened to', () => {
  const { stop } = listen()
  const before = process.listenerCount('SIGINT')
  stop()
  expect(process.listenerCount('SIGINT')).toBe(before - 1)
})
