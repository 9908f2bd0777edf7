/** Making, replacing and ending keys: the one way, whoever asks (an operation, the command line, the first start). Each leaves an event. */
import { WorkError } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import { findMakers, hasOtherKey, insertApiKey, lockApiKey, lockGrants, revokeApiKey, rightsOf, type StoredKey } from './store.ts'
import { type Actor, appendEvents, ofItself } from '../kernel/store/events.ts'
import type { Instant, Tx } from '../kernel/store/tx.ts'
import { generateKey } from './api-keys.ts'

/** How long a replaced key still works when nobody says otherwise: time to bring the new one to where it is used. */
export const defaultOverlapSeconds = 3600
/** How long an invitation can be redeemed: over a weekend. */
export const defaultClaimHours = 72

export interface KeyWanted {
  readonly kind: 'agent' | 'person' | 'service'
  readonly principalId: string
  readonly name: string
  readonly abilities: readonly string[]
  /** RFC 3339; null: without an end. */
  readonly expiresAt: string | null
}

/** Who makes it. */
export interface Maker {
  readonly actor: Actor
  /** The key that asks; null: inside the process. */
  readonly keyId: string | null
}

/** The key itself, of which only the hash is kept; or an invitation to take it, where it is another person's. */
export interface IssuedKey {
  readonly id: string
  readonly key: string | null
  readonly invitation: string | null
  /** Until when the invitation can be redeemed. */
  readonly claim_until: string | null
}

const nameOf = (key: KeyWanted): string => `${key.kind}:${key.principalId}`
const isProcess = (actor: Actor): boolean => actor.principal.startsWith('system:')

/**
 * Whose hands a person's key goes through: who makes it, who made the key that they make it with, and who made the one it replaces. A key that
 * was got by pretending brings its makers along, however many keys later.
 */
async function handsIn(tx: Tx, wanted: KeyWanted, by: Maker, before: readonly string[]): Promise<string[]> {
  if (wanted.kind !== 'person') return []
  const maker = isProcess(by.actor) ? [] : [by.actor.principal]
  const hands = new Set([...before, ...maker, ...(await findMakers(tx, by.keyId))])
  hands.delete(nameOf(wanted))
  return [...hands].toSorted()
}

async function keep(tx: Tx, wanted: KeyWanted, by: Maker, makers: readonly string[]): Promise<{ id: string; key: string; prefix: string }> {
  const { plain, prefix, hash } = generateKey(wanted.kind)
  const id = uuidv7()
  const { kind: principalKind, ...rest } = wanted
  await insertApiKey(tx, tx.tenantId, { ...rest, id, prefix, hash, principalKind, createdBy: by.actor.principal, makers })
  return { id, key: plain, prefix }
}

/** An invitation is the key of that person to one thing only: to the key that it stands for. */
async function keepInvitation(
  tx: Tx,
  wanted: KeyWanted,
  by: Maker,
  makers: readonly string[],
  at: Instant,
  claimHours: number,
): Promise<{ id: string; prefix: string; issued: IssuedKey }> {
  const { plain, prefix, hash } = generateKey('invitation')
  const id = uuidv7()
  const until = new Date(Date.parse(at) + claimHours * 3_600_000).toISOString()
  await insertApiKey(tx, tx.tenantId, {
    id,
    prefix,
    hash,
    name: wanted.name,
    principalKind: wanted.kind,
    principalId: wanted.principalId,
    abilities: ['admin:claim'],
    createdBy: by.actor.principal,
    expiresAt: until,
    makers,
    grants: { abilities: wanted.abilities, until: wanted.expiresAt },
  })
  return { id, prefix, issued: { id, key: null, invitation: plain, claim_until: until } }
}

/** Nobody sees the key of another person. Inside the process, whoever runs the server makes the first keys, unless they say otherwise. */
const isAnothers = (wanted: KeyWanted, { actor }: Maker): boolean =>
  wanted.kind === 'person' && actor.principal !== nameOf(wanted) && !isProcess(actor)

/** Makes a key; of another person, an invitation. */
export async function issueKey(
  tx: Tx,
  wanted: KeyWanted,
  by: Maker,
  at: Instant,
  how: { readonly claimHours?: number | undefined; readonly invite?: boolean } = {},
): Promise<IssuedKey> {
  const makers = await handsIn(tx, wanted, by, [])
  const payload = { kind: wanted.kind, principal_id: wanted.principalId, abilities: wanted.abilities }
  if (how.invite || isAnothers(wanted, by)) {
    const { id, prefix, issued } = await keepInvitation(tx, wanted, by, makers, at, how.claimHours ?? defaultClaimHours)
    await appendEvents(tx, by.actor, at, [
      { kind: 'key.invited', ...ofItself(id, wanted.name), payload: { key_id: id, prefix, ...payload } },
    ])
    return issued
  }
  const { id, key, prefix } = await keep(tx, wanted, by, makers)
  await appendEvents(tx, by.actor, at, [{ kind: 'key.created', ...ofItself(id, wanted.name), payload: { key_id: id, prefix, ...payload } }])
  return { id, key, invitation: null, claim_until: null }
}

/**
 * Replaces a key by a new one with the same rights; the old one works for `overlapSeconds` more. Of another person, the new one is an
 * invitation. `judge` sees the old key first and may refuse. Refuses with: not_found, key_revoked.
 */
export async function replaceKey(
  tx: Tx,
  oldId: string,
  overlapSeconds: number,
  by: Maker,
  judge: (old: StoredKey) => void = () => {},
): Promise<IssuedKey> {
  const old = await lockApiKey(tx, tx.tenantId, oldId)
  if (!old) throw new WorkError('not_found')
  judge(old)
  const at = await tx.clock()
  if (old.revoked_at !== null) throw new WorkError('key_revoked', { detail: 'This key was already revoked or rotated.' })
  const wanted: KeyWanted = {
    kind: old.principal_kind,
    principalId: old.principal_id,
    name: old.name,
    abilities: rightsOf(old),
    expiresAt: old.grants === null ? old.expires_at : old.grants_until,
  }
  const makers = await handsIn(tx, wanted, by, old.makers)
  const invites = old.grants !== null || isAnothers(wanted, by)
  const issued = invites
    ? (await keepInvitation(tx, wanted, by, makers, at, defaultClaimHours)).issued
    : { ...(await keep(tx, wanted, by, makers)), invitation: null, claim_until: null }
  const { id, key, invitation, claim_until } = issued
  await revokeApiKey(tx, tx.tenantId, oldId, { graceSeconds: overlapSeconds, replacedBy: id })
  await appendEvents(tx, by.actor, at, [
    {
      kind: 'key.rotated',
      ...ofItself(oldId, old.name),
      payload: { key_id: oldId, replaced_by: id, overlap_seconds: overlapSeconds, invitation: invites },
    },
  ])
  return { id, key, invitation, claim_until }
}

/**
 * Exchanges an invitation for the key that it stands for; it works once. Refuses with: not_an_invitation, key_revoked (redeemed or taken
 * back), key_expired.
 */
export async function redeemInvitation(tx: Tx, invitationId: string, actor: Actor): Promise<IssuedKey> {
  const invitation = await lockApiKey(tx, tx.tenantId, invitationId)
  if (!invitation || invitation.grants === null) throw new WorkError('not_an_invitation')
  const at = await tx.clock()
  if (invitation.revoked_at !== null)
    throw new WorkError('key_revoked', {
      detail: `The invitation was redeemed or taken back at ${invitation.revoked_at}.`,
      fix: 'If it was not you who redeemed it, say so to whoever invited you: they see and revoke the key that was made of it.',
    })
  if (invitation.expires_at !== null && invitation.expires_at <= at)
    throw new WorkError('key_expired', { detail: `The invitation expired at ${invitation.expires_at}.`, fix: 'Ask for a new one.' })
  const wanted: KeyWanted = {
    kind: 'person',
    principalId: invitation.principal_id,
    name: invitation.name,
    abilities: invitation.grants,
    expiresAt: invitation.grants_until,
  }
  const { id, key, prefix } = await keep(tx, wanted, { actor, keyId: null }, invitation.makers)
  await revokeApiKey(tx, tx.tenantId, invitationId, { graceSeconds: 0, replacedBy: id })
  await appendEvents(tx, actor, at, [
    { kind: 'key.claimed', ...ofItself(invitationId, invitation.name), payload: { key_id: invitationId, replaced_by: id } },
    {
      kind: 'key.created',
      ...ofItself(id, invitation.name),
      payload: { key_id: id, prefix, kind: wanted.kind, principal_id: wanted.principalId, abilities: wanted.abilities },
    },
  ])
  return { id, key, invitation: null, claim_until: null }
}

/**
 * Ends a key now. Ending it twice is the same as once. Returns its principal when it has no other key that works: what it holds must be
 * taken back, since nobody can hand it in. `judge` sees the key first and may refuse. Refuses with: not_found.
 */
export async function endKey(tx: Tx, id: string, actor: Actor, judge: (key: StoredKey) => void = () => {}): Promise<string | null> {
  // Before the row, like everybody who grants.
  await lockGrants(tx)
  const key = await lockApiKey(tx, tx.tenantId, id)
  if (!key) throw new WorkError('not_found')
  judge(key)
  if (await revokeApiKey(tx, tx.tenantId, id, { graceSeconds: 0, replacedBy: null }))
    await appendEvents(tx, actor, await tx.clock(), [{ kind: 'key.revoked', ...ofItself(id, key.name), payload: { key_id: id } }])
  const principal = { kind: key.principal_kind, id: key.principal_id }
  return (await hasOtherKey(tx, principal)) ? null : `${principal.kind}:${principal.id}`
}
