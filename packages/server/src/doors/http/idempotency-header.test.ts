import { WorkError } from '@work-manager/contract'
import { expect, test } from 'vitest'
import { defaultIdempotencyHeaders, readIdempotencyKey } from './idempotency-header.ts'

const read = (headers: Record<string, string>) => readIdempotencyKey(headers, defaultIdempotencyHeaders)

test.each([
  [{}, undefined],
  [{ 'idempotency-key': 'abc' }, 'abc'],
  [{ 'x-idempotency-key': '0' }, '0'],
  [{ 'idempotency-key': '"abc"' }, 'abc'],
  [{ 'idempotency-key': '"a\\"b\\\\c"' }, 'a"b\\c'],
  [{ 'idempotency-key': '"abc"', 'x-idempotency-key': 'abc' }, 'abc'],
  [{ 'idempotency-key': 'k'.repeat(255) }, 'k'.repeat(255)],
])('%j carries %j', (headers, key) => {
  expect(read(headers)).toBe(key)
})

test.each([
  ['', /empty/],
  ['""', /empty/],
  ['k'.repeat(256), /256 characters/],
  ['a b', /white space/],
  ['" a"', /white space/],
  ['ü', /not printable ASCII/],
])('%j is malformed', (value, reason) => {
  expect(() => read({ 'idempotency-key': value })).toThrow(WorkError)
  expect(() => read({ 'idempotency-key': value })).toThrow(reason)
})

test('two headers that disagree are refused', () => {
  expect(() => read({ 'idempotency-key': 'a', 'x-idempotency-key': 'b' })).toThrow(/different keys/)
})

test('only the configured headers count', () => {
  expect(readIdempotencyKey({ 'idempotency-key': 'a', 'x-once': 'b' }, ['x-once'])).toBe('b')
})
