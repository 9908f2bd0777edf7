/** Making, replacing and ending keys: the one way, whoever asks (an operation, the command line, the first start). Each leaves an event. */
import { WorkError } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import { hasOtherKey, insertApiKey, lockApiKey, lockGrants, revokeApiKey, type StoredKey } from './store.ts'
import { type Actor, appendEvents, ofItself } from '../kernel/store/events.ts'
import type { Instant, Tx } from '../kernel/store/tx.ts'
import { generateKey } from './api-keys.ts'

/** How long a replaced key still works when nobody says otherwise: time to bring the new one to where it is used. */
export const defaultOverlapSeconds = 3600

export interface KeyWanted {
  readonly kind: 'agent' | 'person' | 'service'
  readonly principalId: string
  readonly name: string
  readonly abilities: readonly string[]
  /** RFC 3339; null: without an end. */
  readonly expiresAt: string | null
}
export interface IssuedKey {
  readonly id: string
  /** The key itself; only its hash is kept. */
  readonly key: string
}

async function keep(tx: Tx, wanted: KeyWanted, actor: Actor): Promise<IssuedKey & { prefix: string }> {
  const { plain, prefix, hash } = generateKey(wanted.kind)
  const id = uuidv7()
  const { kind: principalKind, ...rest } = wanted
  await insertApiKey(tx, tx.tenantId, { ...rest, id, prefix, hash, principalKind, createdBy: actor.principal })
  return { id, key: plain, prefix }
}

/** Makes a key. */
export async function issueKey(tx: Tx, wanted: KeyWanted, actor: Actor, at: Instant): Promise<IssuedKey> {
  const { id, key, prefix } = await keep(tx, wanted, actor)
  const payload = { key_id: id, prefix, kind: wanted.kind, principal_id: wanted.principalId, abilities: wanted.abilities }
  await appendEvents(tx, actor, at, [{ kind: 'key.created', ...ofItself(id, wanted.name), payload }])
  return { id, key }
}

/**
 * Replaces a key by a new one with the same rights; the old one works for `overlapSeconds` more. `judge` sees the old key first and may
 * refuse. Refuses with: not_found, key_revoked.
 */
export async function replaceKey(
  tx: Tx,
  oldId: string,
  overlapSeconds: number,
  actor: Actor,
  judge: (old: StoredKey) => void = () => {},
): Promise<IssuedKey> {
  const old = await lockApiKey(tx, tx.tenantId, oldId)
  if (!old) throw new WorkError('not_found')
  judge(old)
  const at = await tx.clock()
  if (old.revoked_at !== null) throw new WorkError('key_revoked', { detail: 'This key was already revoked or rotated.' })
  const { principal_kind: kind, principal_id: principalId, name, abilities, expires_at: expiresAt } = old
  const { id, key } = await keep(tx, { kind, principalId, name, abilities, expiresAt }, actor)
  await revokeApiKey(tx, tx.tenantId, oldId, { graceSeconds: overlapSeconds, replacedBy: id })
  await appendEvents(tx, actor, at, [
    { kind: 'key.rotated', ...ofItself(oldId, name), payload: { key_id: oldId, replaced_by: id, overlap_seconds: overlapSeconds } },
  ])
  return { id, key }
}

/**
 * Ends a key now. Ending it twice is the same as once. Returns its principal when it has no other key that works: what it holds must be
 * taken back, since nobody can hand it in. Refuses with: not_found.
 */
export async function endKey(tx: Tx, id: string, actor: Actor): Promise<string | null> {
  // Before the row, like everybody who grants.
  await lockGrants(tx)
  const key = await lockApiKey(tx, tx.tenantId, id)
  if (!key) throw new WorkError('not_found')
  if (await revokeApiKey(tx, tx.tenantId, id, { graceSeconds: 0, replacedBy: null }))
    await appendEvents(tx, actor, await tx.clock(), [{ kind: 'key.revoked', ...ofItself(id, key.name), payload: { key_id: id } }])
  const principal = { kind: key.principal_kind, id: key.principal_id }
  return (await hasOtherKey(tx, principal)) ? null : `${principal.kind}:${principal.id}`
}
