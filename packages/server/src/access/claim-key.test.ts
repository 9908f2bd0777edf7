import { expect } from 'vitest'
import { callAs, done } from '../../testing/cases.ts'
import { describeVerb } from '../../testing/describe-verb.ts'
import { createCaller } from '../../testing/test-server.ts'
import { claimKey } from './claim-key.ts'

describeVerb(claimKey, {
  async succeeds({ body }, side) {
    expect(body.key).toMatch(/^wm_p_/)
    const caller = createCaller(side.server.url, body.key, 'ines')
    expect((await caller.get('/orders')).status).toBe(200)
    expect((await caller.post('/checkout')).body.code).toBe('scope_missing')
  },
  refuses: {
    not_an_invitation: (side, input) => {
      callAs(side, side.person)
      return input
    },
  },
})

// Which of the two is heard depends on what this process remembers of the key: both say that it is over.
describeVerb(claimKey, {
  succeeds: () => {},
  refuses: {
    key_revoked: async (side, input) => {
      const { body } = done(await side.person.post('/keys', { kind: 'person', principal_id: 'ines', name: 'x', abilities: ['work:view'] }))
      const invited = createCaller(side.server.url, body.invitation, 'ines')
      done(await invited.post('/keys/claim'))
      callAs(side, invited)
      return input
    },
    key_expired: async (side, input) => {
      const { body } = done(await side.person.post('/keys', { kind: 'person', principal_id: 'ines', name: 'x', abilities: ['work:view'] }))
      await side.server.database.sql(`update wm.api_keys set expires_at = now() - interval '1 second' where id = $1`, [body.id])
      callAs(side, createCaller(side.server.url, body.invitation, 'ines'))
      return input
    },
  },
})
