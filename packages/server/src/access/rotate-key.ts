import Type from 'typebox'
import { actorOf } from '../kernel/operations/actor.ts'
import { defineOperation } from '../kernel/operations/operation.ts'
import { defaultOverlapSeconds, replaceKey } from './issue-key.ts'
import { keyId, madeKey } from './key-shapes.ts'
import { assertMayGrant } from './may-grant.ts'
import { rightsOf } from './store.ts'

export const rotateKey = defineOperation({
  name: 'rotate_key',
  summary:
    'Replace a key by a new one with the same rights (of another person, by an invitation); the old one works for the overlap and then ends.',
  http: { method: 'POST', path: '/keys/:key/rotate', success: 201 },
  ability: 'admin:keys',
  idempotency: 'none',
  refuses: ['not_found', 'key_revoked', 'scope_missing', 'agents_cannot_decide'],
  command: { words: 'keys rotate', byHand: true },
  tool: 'secrets do not belong into a model’s context',
  input: Type.Object({
    key: keyId,
    overlap_seconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 604_800, description: 'How long the old key still works (default 3600).' }),
    ),
  }),
  output: madeKey,
  handler: (context, input) =>
    context.write(async (tx) => {
      const by = { actor: actorOf(context), keyId: context.principal.keyId }
      const issued = await replaceKey(tx, input.key, input.overlap_seconds ?? defaultOverlapSeconds, by, (old) =>
        assertMayGrant(context.principal, { kind: old.principal_kind, abilities: rightsOf(old) }),
      )
      return { status: 201, body: issued }
    }),
})
