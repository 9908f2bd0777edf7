import Type from 'typebox'
import { actorOf } from '../kernel/operations/actor.ts'
import { defineOperation } from '../kernel/operations/operation.ts'
import { endKey } from './issue-key.ts'
import { keyId } from './key-shapes.ts'
import { assertMayEnd } from './may-grant.ts'
import { rightsOf } from './store.ts'

/** Revoking twice is the same as once. */
export const revokeKey = defineOperation({
  name: 'revoke_key',
  summary: 'End a key now, and the leases of its holder unless another key of it works.',
  http: { method: 'POST', path: '/keys/:key/revoke', success: 200 },
  ability: 'admin:keys',
  idempotency: 'none',
  // scope_missing, agents_cannot_decide: an agent or a service, and a key with more rights than its own, or a person's.
  refuses: ['not_found', 'scope_missing', 'agents_cannot_decide'],
  command: { words: 'keys revoke', byHand: true },
  tool: 'administration is not an agent’s work',
  input: Type.Object({ key: keyId }),
  output: Type.Object({ revoked: Type.Boolean() }),
  async handler(context, input) {
    let keyless: string | null = null
    const reply = await context.write(async (tx) => {
      keyless = await endKey(tx, input.key, actorOf(context), (key) =>
        assertMayEnd(context.principal, { kind: key.principal_kind, abilities: rightsOf(key) }),
      )
      return { status: 200, body: { revoked: true } }
    })
    if (keyless !== null) await context.tools.keyEnded(context.principal.tenantId, keyless, actorOf(context))
    return reply
  },
})
