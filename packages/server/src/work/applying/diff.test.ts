import fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonicalJson } from '../../kernel/canonical-json.ts'
import { makeDiff } from './diff.ts'

it('names what was added, modified and removed', () => {
  expect(makeDiff({ a: 1, b: 2, c: { x: 1 } }, { b: 3, c: { x: 1 }, d: null }, 'three changes')).toEqual({
    before: { a: 1, b: 2, c: { x: 1 } },
    after: { b: 3, c: { x: 1 }, d: null },
    changes: { b: { type: 'modified', from: 2, to: 3 }, d: { type: 'added', value: null }, a: { type: 'removed', value: 1 } },
    summary: 'three changes',
  })
})

it('reordered keys inside a value are no change, a reordered list is one', () => {
  expect(makeDiff({ a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } }).changes).toEqual({})
  expect(makeDiff({ a: [1, 2] }, { a: [2, 1] }).changes).toHaveProperty('a')
})

it('the changes alone lead from before to after', () => {
  const record = fc.dictionary(fc.string(), fc.jsonValue())
  fc.assert(
    fc.property(record, record, (before, after) => {
      const { changes } = makeDiff(before, after)
      const rebuilt = new Map<string, unknown>(Object.entries(before))
      for (const [key, change] of Object.entries(changes) as [string, { type: string; value?: unknown; to?: unknown }][]) {
        if (change.type === 'removed') rebuilt.delete(key)
        else rebuilt.set(key, change.type === 'added' ? change.value : change.to)
      }
      expect(canonicalJson(Object.fromEntries(rebuilt))).toBe(canonicalJson(after))
    }),
  )
})
