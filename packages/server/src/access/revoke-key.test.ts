import { expect } from 'vitest'
import { describeVerb } from '../../testing/describe-verb.ts'
import { revokeKey } from './revoke-key.ts'

describeVerb(revokeKey, {
  succeeds: async ({ body }, { person }, input) => {
    expect(body).toEqual({ revoked: true })
    expect((await person.post(`/keys/${String(input.key)}/revoke`)).status, 'twice is once').toBe(200)
  },
})
