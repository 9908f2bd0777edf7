import { callAs, defineCases, done, type Side } from '../../testing/cases.ts'
import { createCaller } from '../../testing/test-server.ts'

const shown = {
  kind: 'agent',
  principal_id: 'auditor-1',
  name: 'The auditor',
  abilities: ['work:view', 'work:checkout', 'work:heartbeat', 'work:submit'],
}
async function makeKey({ person, mark }: Side): Promise<{ key: string }> {
  return { key: done(await person.post('/keys', { ...shown, name: mark })).body.id }
}

export const cases = defineCases({
  claim_key: {
    by: 'prepared',
    async call(side) {
      const wanted = { kind: 'person', principal_id: 'ines', name: side.mark, abilities: ['work:view', 'work:approve'] }
      const { body } = done(await side.person.post('/keys', wanted))
      callAs(side, createCaller(side.server.url, body.invitation, 'ines'))
      return {}
    },
  },
  create_key: { sample: async () => shown },
  list_keys: { call: async () => ({}) },
  rotate_key: { call: makeKey },
  revoke_key: { call: makeKey },
})
