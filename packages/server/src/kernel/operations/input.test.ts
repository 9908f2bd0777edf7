import Type from 'typebox'
import { expect, test } from 'vitest'
import { judgeLine } from '../schemas/schema-validator.ts'
import { readInput } from './input.ts'
import type { Operation } from './operation.ts'

const operation = {
  http: { method: 'POST', path: '/things', success: 200 },
  input: Type.Object({ name: Type.String(), size: Type.Optional(Type.Integer()) }),
} as unknown as Operation

test('a megabyte of unknown members is refused with the first of them, each with its advice', async () => {
  const raw = { name: 'x', ...Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`nam${i}`, i])) }
  const error = (await (async () => readInput(operation, raw))().catch((caught: unknown) => caught)) as {
    code: string
    details: { errors: { message: string }[] }
  }
  expect(error.code).toBe('validation_failed')
  expect(error.details.errors).toHaveLength(50)
  expect(error.details.errors[0]!.message).toContain("did you mean 'name'?")
})

test('members that no schema looks into cost nothing, however many', async () => {
  const open = {
    ...operation,
    input: Type.Object({ payload: Type.Union([Type.Object({}, { minProperties: 1 }), Type.Array(Type.Unknown())]) }),
  }
  const payload = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]))
  const before = judgeLine.judged
  expect(await readInput(open as unknown as Operation, { payload })).toEqual({ payload })
  expect(await readInput(open as unknown as Operation, { payload: Object.keys(payload) })).toBeDefined()
  expect(judgeLine.judged).toBe(before)
})
