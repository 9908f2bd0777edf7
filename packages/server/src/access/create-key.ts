import { grants, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { actorOf } from '../kernel/operations/actor.ts'
import { defineOperation } from '../kernel/operations/operation.ts'
import { defaultClaimHours, issueKey } from './issue-key.ts'
import { madeKey } from './key-shapes.ts'
import { assertMayGrant } from './may-grant.ts'

export const createKey = defineOperation({
  name: 'create_key',
  summary: 'Make an API key bound to an agent id, a person or a service; for another person, an invitation that only they redeem.',
  http: { method: 'POST', path: '/keys', success: 201 },
  ability: 'admin:keys',
  idempotency: 'none',
  // scope_missing: an ability that you do not hold yourself.
  // agents_cannot_decide: a person's key.
  refuses: ['validation_failed', 'scope_missing', 'agents_cannot_decide'],
  command: { words: 'keys create', byHand: true },
  tool: 'secrets do not belong into a model’s context',
  input: Type.Object({
    name: Type.String({ minLength: 1, maxLength: 120 }),
    kind: Type.Enum(['agent', 'person', 'service']),
    principal_id: Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^[A-Za-z0-9][A-Za-z0-9._@:-]*$',
      description: 'Agent id, person or service name.',
    }),
    abilities: Type.Array(Type.Enum([...grants]), { minItems: 1, maxItems: 20 }),
    expires_at: Type.Optional(Type.Union([Type.Null(), Type.String({ format: 'date-time' })])),
    claim_within_hours: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 720,
        description: `How long the invitation of another person can be redeemed (default ${defaultClaimHours}).`,
      }),
    ),
  }),
  output: madeKey,
  async handler(context, input) {
    const { principal } = context
    assertMayGrant(principal, input)
    return context.write(async (tx) => {
      const at = await tx.clock()
      if (input.expires_at && Date.parse(input.expires_at) <= Date.parse(at))
        throw new WorkError('validation_failed', {
          detail: 'expires_at lies in the past.',
          errors: [{ field: 'expires_at', code: 'time_invalid', message: 'expires_at lies in the past.' }],
        })
      const { kind, name, abilities: granted, principal_id: principalId, expires_at: expiresAt = null } = input
      const by = { actor: actorOf(context), keyId: principal.keyId }
      const issued = await issueKey(tx, { kind, name, abilities: granted, principalId, expiresAt }, by, at, {
        claimHours: input.claim_within_hours,
      })
      return { status: 201, body: issued }
    })
  },
})
