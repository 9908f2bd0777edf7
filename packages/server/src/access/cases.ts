import { defineCases, done, type Side } from '../../testing/cases.ts'

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
  create_key: { sample: async () => shown },
  list_keys: { call: async () => ({}) },
  rotate_key: { call: makeKey },
  revoke_key: { call: makeKey },
})
