import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { generateKey, hashKey, keyPattern } from './api-keys.ts'

test.each([
  ['agent', 'a'],
  ['person', 'p'],
  ['service', 's'],
] as const)('a key of kind %s says so in its third letter', (kind, letter) => {
  const key = generateKey(kind)
  expect(key.plain).toMatch(keyPattern)
  expect(key.plain.startsWith(`wm_${letter}_${key.prefix}_`)).toBe(true)
})

test('the stored hash is SHA-256 of the whole key', () => {
  const key = generateKey('agent')
  expect(key.hash).toEqual(createHash('sha256').update(key.plain).digest())
  expect(hashKey(key.plain)).toEqual(key.hash)
})

test('keys do not repeat', () => {
  const keys = new Set(Array.from({ length: 500 }, () => generateKey('service').plain))
  expect(keys.size).toBe(500)
})
