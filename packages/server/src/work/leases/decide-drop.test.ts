import { expect, it } from 'vitest'
import { afterDrop, type DroppedBy, isConfirmed, isWithinGrace } from './decide-drop.ts'

const rules = { cooldownSeconds: 60, graceSeconds: 30 }
const at = '2027-01-01T00:00:00.000000Z'
const seconds = Date.parse(at) / 1000
const drops = (times: number, principal = 'agent:a'): DroppedBy => {
  let dropped: DroppedBy | null = null
  for (let n = 0; n < times; n++) dropped = afterDrop(dropped, { principal, at }, rules)
  return dropped!
}

it('once is free; from the second time on others go first, for twice as long each time, an hour at most', () => {
  const waits = [1, 2, 3, 4, 5, 20].map((times) => Math.max(0, drops(times)['agent:a']!.until - seconds))
  expect(waits).toEqual([0, 60, 120, 240, 480, 3600])
})

it('counts each principal by itself, and from when the item is ready again', () => {
  const other = afterDrop(drops(3), { principal: 'agent:b', at }, rules)
  expect(other['agent:b']).toEqual({ until: 0, times: 1 })
  expect(other['agent:a']!.times).toBe(3)
  expect(afterDrop(drops(1), { principal: 'agent:a', at, readyInSeconds: 500 }, rules)['agent:a']!.until).toBe(seconds + 560)
})

it('keeps nobody from anything where the rule is 0', () => {
  expect(afterDrop(drops(5), { principal: 'agent:a', at }, { ...rules, cooldownSeconds: 0 })['agent:a']!.until).toBe(0)
})

it('remembers twenty, and those that wait longest', () => {
  let dropped: DroppedBy = drops(4)
  for (let n = 0; n < 40; n++) dropped = afterDrop(dropped, { principal: `agent:${n}`, at }, rules)
  expect(Object.keys(dropped)).toHaveLength(20)
  expect(dropped['agent:a']!.times).toBe(4)
})

it('whoever gave up waits from the first time on, and its word stands until another one confirms it', () => {
  const said = afterDrop(null, { principal: 'agent:a', at, gaveUp: true }, rules)
  expect(said['agent:a']).toEqual({ until: seconds + 60, times: 1, gave_up: true })
  expect(isConfirmed(said, 'agent:a')).toBe(false)
  expect(isConfirmed(said, 'agent:b')).toBe(true)
  expect(isConfirmed(drops(3), 'agent:b')).toBe(false)
  expect(afterDrop(said, { principal: 'agent:a', at }, rules)['agent:a']!.gave_up).toBe(true)
})

it('an attempt comes back within the grace, to the second', () => {
  expect(isWithinGrace('2026-12-31T23:59:30.000000Z', at, rules)).toBe(true)
  expect(isWithinGrace('2026-12-31T23:59:29.000000Z', at, rules)).toBe(false)
  expect(isWithinGrace(null, at, rules)).toBe(false)
})
