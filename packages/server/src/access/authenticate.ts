/**
 * Credential → principal. A short cache takes the look-up off the hot path; expiry and revocation are judged at every call, so the
 * cache delays only the news of a revocation, by `cacheSeconds` at most. Keys are cached by hash: no plain key stays in memory.
 */
import { type Tier, WorkError } from '@work-manager/contract'
import { LRUCache } from 'lru-cache'
import { hashKey } from './api-keys.ts'
import { readBearer } from './bearer.ts'
import type { Principal } from '../kernel/principal.ts'

/** A time that the database keeps, and where it lies on the clock of this process that only goes forward, reckoned when it was read. */
export interface Moment {
  readonly at: Date
  readonly monotonicMs: number
}

export interface KeyRow {
  readonly tenantId: string
  readonly tenantSlug: string
  readonly id: string
  readonly principalKind: 'agent' | 'person' | 'service'
  readonly principalId: string
  readonly abilities: readonly string[]
  readonly expires: Moment | null
  /** May lie in the future: a rotated key keeps working for its overlap. */
  readonly revoked: Moment | null
  readonly tenantSuspended: boolean
  readonly tier: Tier
}

/** Counts requests without a valid key, by address. */
export interface Strangers {
  /** Counts a failure. Refuses with: rate_limited. */
  countFailure(address: string | undefined): void
}

export interface AuthenticatorOptions {
  readonly lookUp: (keyHash: Buffer) => Promise<KeyRow | null>
  /** How long a known key is believed without asking again; 0 asks every time. */
  readonly cacheSeconds?: number
  readonly now?: () => number
  readonly strangers?: Strangers
  /** Told how each look-up ended. */
  readonly count?: (outcome: 'hit' | 'none' | 'miss') => void
}

export interface Authenticator {
  /**
   * The principal behind an Authorization header. A missing or wrong key counts against the address. Whatever looks like a key is looked
   * up before that is judged, in one indexed read that others share: a neighbour's guessing behind the same address locks nobody out.
   * Known at once, without a promise, for a key that was seen a moment ago; every refusal is a promise that fails.
   * Refuses with: auth_required, auth_malformed, key_unknown, key_expired, key_revoked, rate_limited.
   */
  readonly authenticate: (authorizationHeader: string | undefined, address?: string) => Principal | Promise<Principal>
  /** Drops everything remembered, so that a key made or revoked in this process counts at once. */
  readonly forgetAll: () => void
}

interface KnownKey {
  readonly row: KeyRow
  readonly principal: Principal
}

const knownKeysKept = 10_000
const unknownKeysKept = 1_000
// Unknown keys have a cache of their own, so that guessing cannot push real keys out, and a short one: a new key works soon.
const unknownKeyMs = 1_000

/** Builds the authenticator over `lookUp`, which finds a key by its hash across tenants. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { lookUp, cacheSeconds = 5, now = () => performance.now(), count } = options
  const known = cacheSeconds > 0 ? new LRUCache<string, KnownKey>({ max: knownKeysKept, ttl: cacheSeconds * 1000 }) : null
  const unknown = cacheSeconds > 0 ? new LRUCache<string, true>({ max: unknownKeysKept, ttl: unknownKeyMs }) : null
  const { strangers } = options
  const running = new Map<string, Promise<KnownKey | null>>()
  let generation = 0

  async function load(hash: Buffer, cacheKey: string): Promise<KnownKey | null> {
    const startedIn = generation
    const row = await lookUp(hash)
    const found = row && { row, principal: principalOf(row) }
    // An answer that was under way when everything was forgotten may already be out of date.
    if (startedIn === generation) {
      if (found) known?.set(cacheKey, found)
      else unknown?.set(cacheKey, true)
    }
    return found
  }

  function loadOnce(hash: Buffer, cacheKey: string): Promise<KnownKey | null> {
    let promise = running.get(cacheKey)
    if (!promise) {
      promise = load(hash, cacheKey).finally(() => {
        if (running.get(cacheKey) === promise) running.delete(cacheKey)
      })
      running.set(cacheKey, promise)
    }
    return promise
  }

  async function look(hash: Buffer, cacheKey: string): Promise<Principal> {
    if (unknown?.get(cacheKey)) {
      count?.('none')
      throw new WorkError('key_unknown')
    }
    count?.('miss')
    const found = await loadOnce(hash, cacheKey)
    if (!found) throw new WorkError('key_unknown')
    return admit(found, now())
  }

  async function refuse(error: unknown, address: string | undefined): Promise<never> {
    if (error instanceof WorkError && error.status === 401) strangers?.countFailure(address)
    throw error
  }

  return {
    authenticate(authorizationHeader, address) {
      try {
        const hash = hashKey(readBearer(authorizationHeader))
        const cacheKey = hash.toString('latin1')
        const cached = known?.get(cacheKey)
        if (!cached) return look(hash, cacheKey).catch((error: unknown) => refuse(error, address))
        count?.('hit')
        return admit(cached, now())
      } catch (error) {
        return refuse(error, address)
      }
    },
    forgetAll() {
      generation++
      known?.clear()
      unknown?.clear()
      running.clear()
    },
  }
}

function principalOf(row: KeyRow): Principal {
  return Object.freeze({
    tenantId: row.tenantId,
    tenantSlug: row.tenantSlug,
    kind: row.principalKind,
    id: row.principalId,
    name: `${row.principalKind}:${row.principalId}`,
    keyId: row.id,
    abilities: Object.freeze([...row.abilities]),
    tier: row.tier,
  })
}

function admit({ row, principal }: KnownKey, now: number): Principal {
  if (row.revoked !== null && row.revoked.monotonicMs <= now) {
    const isInvitation = row.abilities.length === 1 && row.abilities[0] === 'admin:claim'
    throw new WorkError(
      'key_revoked',
      isInvitation
        ? {
            detail: `The invitation was redeemed or taken back at ${row.revoked.at.toISOString()}.`,
            fix: 'If it was not you who redeemed it, say so to whoever invited you: they can revoke the key that was made of it.',
          }
        : { detail: `The key was revoked at ${row.revoked.at.toISOString()}.` },
    )
  }
  if (row.expires !== null && row.expires.monotonicMs <= now) {
    throw new WorkError('key_expired', { detail: `The key expired at ${row.expires.at.toISOString()}.` })
  }
  if (row.tenantSuspended) {
    throw new WorkError('key_revoked', {
      detail: 'The tenant of this key is suspended, so none of its keys work.',
      fix: 'Ask whoever runs the server to resume the tenant.',
    })
  }
  return principal
}
