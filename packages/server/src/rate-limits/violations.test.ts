import { pino } from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Violations } from './violations.ts'

const lines: Array<Record<string, unknown>> = []
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
const counted: string[] = []
const metrics = {
  increment: (name: string, labels: object) => void counted.push(`${name} ${JSON.stringify(labels)}`),
  set() {},
  observe() {},
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => {
  vi.useRealTimers()
  lines.length = 0
  counted.length = 0
})

test('the first is told at once, a flood in one line per ten seconds, and every one is counted', () => {
  const violations = new Violations({ log, metrics })
  for (let n = 0; n < 5_000; n++) violations.note('principal', 'free', n % 5 === 0 ? 'acme agent:b' : 'acme agent:a')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ level: 40, scope: 'principal', tier: 'free', who: 'acme agent:b', msg: 'rate limit exceeded' })
  vi.advanceTimersByTime(10_000)
  expect(lines).toHaveLength(2)
  expect(lines[1]).toMatchObject({ refused: 4_999, callers: 2, most: { 'acme agent:a': 4_000, 'acme agent:b': 999 } })
  vi.advanceTimersByTime(60_000)
  expect(lines).toHaveLength(2)
  expect(counted).toHaveLength(5_000)
  expect(counted[0]).toBe('rate_limited_total {"scope":"principal","tier":"free"}')
  violations.note('principal', 'free', 'acme agent:a')
  expect(lines).toHaveLength(3)
})

test('a flood from ever new addresses stays a few names and a few lines', () => {
  const violations = new Violations({ log, metrics })
  for (let n = 0; n < 10_000; n++) violations.note('address', 'anonymous', `2001:db8:${n.toString(16)}::/64`)
  violations.note('tenant', 'free', 'acme')
  expect(lines).toHaveLength(2)
  violations.stop()
  expect(lines).toHaveLength(3)
  expect(lines[2]).toMatchObject({ refused: 9_999, callers: 100 })
  expect(Object.keys(lines[2]!['most'] as object)).toHaveLength(5)
})
