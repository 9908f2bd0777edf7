import Type from 'typebox'
import { defineOperation } from '../kernel/operations/operation.ts'
import { renderApiKeys } from './store.ts'

export const listKeys = defineOperation({
  name: 'list_keys',
  summary: 'List the keys of the tenant, without the keys themselves.',
  http: { method: 'GET', path: '/keys', success: 200 },
  ability: 'admin:keys',
  idempotency: 'none',
  refuses: [],
  command: { words: 'keys list', byHand: true },
  tool: 'administration is not an agent’s work',
  input: Type.Object({}),
  output: Type.Object({ keys: Type.Array(Type.Unknown()) }),
  handler: (context) => context.read(async (q) => ({ status: 200, json: `{"keys":[${(await renderApiKeys(q)).join(',')}]}` })),
})
