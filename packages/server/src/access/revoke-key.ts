import Type from 'typebox'
import { actorOf } from '../kernel/operations/actor.ts'
import { defineOperation } from '../kernel/operations/operation.ts'
import { endKey } from './issue-key.ts'
import { keyId } from './key-shapes.ts'

/** Revoking twice is the same as once. */
export const revokeKey = defineOperation({
  name: 'revoke_key',
  summary: 'End a key now.',
  http: { method: 'POST', path: '/keys/:key/revoke', success: 200 },
  ability: 'admin:keys',
  idempotency: 'none',
  refuses: ['not_found'],
  command: { words: 'keys revoke', byHand: true },
  tool: 'administration is not an agent’s work',
  input: Type.Object({ key: keyId }),
  output: Type.Object({ revoked: Type.Boolean() }),
  handler: (context, input) =>
    context.write(async (tx) => {
      await endKey(tx, input.key, actorOf(context))
      return { status: 200, body: { revoked: true } }
    }),
})
