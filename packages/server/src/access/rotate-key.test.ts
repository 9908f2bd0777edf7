import { expect } from 'vitest'
import { done } from '../../testing/cases.ts'
import { describeVerb } from '../../testing/describe-verb.ts'
import { rotateKey } from './rotate-key.ts'

describeVerb(rotateKey, {
  succeeds: ({ body }, _side, input) => {
    expect(body.key).toMatch(/^wm_a_/)
    expect(body.id).not.toBe(input.key)
  },
  refuses: {
    key_revoked: async ({ person }, input) => {
      done(await person.post(`/keys/${String(input.key)}/revoke`))
      return input
    },
  },
})
