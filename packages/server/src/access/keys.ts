/** Keys through the door: made, listed, rotated, revoked. The key itself is shown once. */
import { grants, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { defaultOverlapSeconds, endKey, issueKey, replaceKey } from './issue-key.ts'
import type { Principal } from '../kernel/principal.ts'
import { renderApiKeys } from './store.ts'
import { actorOf } from '../kernel/operations/actor.ts'
import { defineOperation } from '../kernel/operations/operation.ts'

const keyId = Type.String({ format: 'uuid', description: 'Key id.' })
const made = Type.Object({ id: Type.String(), key: Type.String({ description: 'Shown once; only its hash is kept.' }) })

/**
 * A key gives away no more than its maker has, made or rotated; and only a person makes a person, or an agent could decide by a puppet.
 * Refuses with: scope_missing, agents_cannot_decide.
 */
function assertMayGrant(principal: Principal, grant: { readonly kind: string; readonly abilities: readonly string[] }): void {
  const beyond = grant.abilities.find(
    (ability) => !['*', ability, `${ability.split(':')[0]}:*`].some((held) => principal.abilities.includes(held)),
  )
  if (beyond) throw new WorkError('scope_missing', { detail: `You cannot grant '${beyond}', because your own key does not hold it.` })
  if (grant.kind === 'person' && principal.kind !== 'person' && principal.kind !== 'system')
    throw new WorkError('agents_cannot_decide', {
      detail: `The key belongs to ${principal.kind === 'agent' ? 'an agent' : 'a service'}; only a person can make or rotate the key of a person.`,
    })
}

/** Refuses with: validation_failed, scope_missing (an ability that you do not hold yourself), agents_cannot_decide (a person's key). */
export const createKey = defineOperation({
  name: 'create_key',
  summary: 'Make an API key bound to an agent id, a person or a service.',
  http: { method: 'POST', path: '/keys', success: 201 },
  ability: 'admin:keys',
  idempotency: 'none',
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
  }),
  output: made,
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
      const issued = await issueKey(tx, { kind, name, abilities: granted, principalId, expiresAt }, actorOf(context), at)
      return { status: 201, body: issued }
    })
  },
})

export const listKeys = defineOperation({
  name: 'list_keys',
  summary: 'List the keys of the tenant, without the keys themselves.',
  http: { method: 'GET', path: '/keys', success: 200 },
  ability: 'admin:keys',
  idempotency: 'none',
  input: Type.Object({}),
  output: Type.Object({ keys: Type.Array(Type.Unknown()) }),
  handler: (context) => context.read(async (q) => ({ status: 200, json: `{"keys":[${(await renderApiKeys(q)).join(',')}]}` })),
})

/** Refuses with: not_found, key_revoked, scope_missing and agents_cannot_decide as create_key does. */
export const rotateKey = defineOperation({
  name: 'rotate_key',
  summary: 'Replace a key by a new one with the same rights; the old one works for the overlap and then ends.',
  http: { method: 'POST', path: '/keys/:key/rotate', success: 201 },
  ability: 'admin:keys',
  idempotency: 'none',
  input: Type.Object({
    key: keyId,
    overlap_seconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 604_800, description: 'How long the old key still works (default 3600).' }),
    ),
  }),
  output: made,
  handler: (context, input) =>
    context.write(async (tx) => {
      const issued = await replaceKey(tx, input.key, input.overlap_seconds ?? defaultOverlapSeconds, actorOf(context), (old) =>
        assertMayGrant(context.principal, { kind: old.principal_kind, abilities: old.abilities }),
      )
      return { status: 201, body: issued }
    }),
})

/** Refuses with: not_found. Revoking twice is the same as once. */
export const revokeKey = defineOperation({
  name: 'revoke_key',
  summary: 'End a key now.',
  http: { method: 'POST', path: '/keys/:key/revoke', success: 200 },
  ability: 'admin:keys',
  idempotency: 'none',
  input: Type.Object({ key: keyId }),
  output: Type.Object({ revoked: Type.Boolean() }),
  handler: (context, input) =>
    context.write(async (tx) => {
      await endKey(tx, input.key, actorOf(context))
      return { status: 200, body: { revoked: true } }
    }),
})
