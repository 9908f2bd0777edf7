import { expect, test } from 'vitest'
import { createRestartPolicy } from './restart-policy.ts'

test('a worker that dies at once comes back ever more slowly, and in the end not any more', () => {
  const policy = createRestartPolicy()
  expect(Array.from({ length: 5 }, () => policy.died(0))).toEqual([100, 200, 400, 800, null])
})

test('a worker that had served well starts anew without a history', () => {
  const policy = createRestartPolicy()
  for (let n = 0; n < 4; n++) policy.died(1000)
  expect(policy.died(3_600_000)).toBe(100)
  expect(policy.died(0)).toBe(200)
})
