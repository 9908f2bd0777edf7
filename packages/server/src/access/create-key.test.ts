import { expect } from 'vitest'
import { describeVerb } from '../../testing/describe-verb.ts'
import { createKey } from './create-key.ts'

describeVerb(createKey, {
  succeeds: ({ body }) => {
    expect(body.key).toMatch(/^wm_a_/)
  },
  refuses: {
    validation_failed: (_side, input) => ({ ...input, expires_at: '2020-01-01T00:00:00Z' }),
  },
})
