import { expect } from 'vitest'
import { describeVerb } from '../../testing/describe-verb.ts'
import { listKeys } from './list-keys.ts'

describeVerb(listKeys, {
  succeeds: ({ body }) => {
    expect(body.keys.length).toBeGreaterThan(0)
    for (const key of body.keys) expect(Object.keys(key)).not.toContain('key')
  },
})
