/** API keys and tenants. Only hashes are kept. */
import type { Tier } from '@work-manager/contract'
import sql from 'sql-template-tag'
import type { KeyEnd } from '../kernel/key-end.ts'
import type { Instant, Queryable, SystemDb, Tx } from '../kernel/store/tx.ts'

export interface ApiKeyRow {
  readonly tenant_id: string
  readonly tenant_slug: string
  readonly id: string
  readonly principal_kind: 'agent' | 'person' | 'service'
  readonly principal_id: string
  readonly abilities: string[]
  readonly expires_at: Instant | null
  /** By the database's clock; negative when it is over. */
  readonly expires_in_ms: number | null
  readonly revoked_in_ms: number | null
  readonly revoked_at: Instant | null
  readonly tenant_suspended: boolean
  readonly tier: Tier
}

/**
 * The keys with these hashes, in whichever tenants; look-up comes before the tenant is known, so it runs on the system pool. Unknown ones
 * are absent.
 */
export async function findApiKeysByHash(
  system: SystemDb,
  hashes: readonly Buffer[],
): Promise<Array<ApiKeyRow & { readonly key_hash: Buffer }>> {
  return system.query(
    sql`
    select k.key_hash, k.tenant_id, t.slug as tenant_slug, k.id, k.principal_kind, k.principal_id, k.abilities, k.expires_at,
           extract(epoch from k.expires_at - clock_timestamp())::float8 * 1000 as expires_in_ms, k.revoked_at,
           extract(epoch from k.revoked_at - clock_timestamp())::float8 * 1000 as revoked_in_ms,
           t.suspended_at is not null as tenant_suspended, t.tier
      from wm.api_keys k join wm.tenants t on t.id = k.tenant_id where k.key_hash = any (${hashes as Buffer[]}::bytea[])`,
    'find_api_keys_by_hash',
  )
}

/** Those of the keys that no longer work, and why. */
export function findKeyEnds(q: Queryable, tenantId: string, ids: readonly string[]): Promise<Array<{ id: string; why: KeyEnd }>> {
  return q.query(
    sql`select k.id, k.why from (select id, wm.key_end(${tenantId}, id) as why from unnest(${ids as string[]}::uuid[]) id) k where k.why is not null`,
    'find_key_ends',
  )
}

/** Nothing is granted while this is held: whoever grants looks at the keys under the same lock, shared. */
export async function lockGrants(tx: Tx): Promise<void> {
  await tx.query(sql`select pg_advisory_xact_lock(hashtextextended('wm.pauses|' || ${tx.tenantId}::uuid::text, 0))`, 'lock_grants')
}

export async function hasOtherKey(tx: Tx, principal: { readonly kind: string; readonly id: string }): Promise<boolean> {
  const [row] = await tx.query<{ found: boolean }>(
    sql`select exists (select from wm.api_keys k where k.tenant_id = ${tx.tenantId} and k.principal_kind = ${principal.kind}
          and k.principal_id = ${principal.id} and wm.key_end(k.tenant_id, k.id) is null) as found`,
    'has_other_key',
  )
  return row!.found
}

export interface NewApiKey {
  readonly id: string
  readonly prefix: string
  readonly hash: Buffer
  readonly name: string
  readonly principalKind: 'agent' | 'person' | 'service'
  readonly principalId: string
  readonly abilities: readonly string[]
  readonly createdBy: string
  /** RFC 3339, or null for a key without an end. */
  readonly expiresAt: string | null
  /** Principals other than its own whose hands are in a person's key. */
  readonly makers?: readonly string[]
  /** For an invitation: what the key that it stands for will hold, and when that one ends. */
  readonly grants?: { readonly abilities: readonly string[]; readonly until: string | null } | null
}

export async function insertApiKey(q: Queryable, tenantId: string, key: NewApiKey): Promise<void> {
  await q.query(
    sql`
    insert into wm.api_keys (tenant_id, id, prefix, key_hash, name, principal_kind, principal_id, abilities, created_by, expires_at,
      makers, grants, grants_until)
    values (${tenantId}, ${key.id}, ${key.prefix}, ${key.hash}, ${key.name}, ${key.principalKind}, ${key.principalId}, ${key.abilities as string[]},
      ${key.createdBy}, ${key.expiresAt}::timestamptz, ${(key.makers ?? []) as string[]}, ${(key.grants?.abilities ?? null) as string[] | null}::text[],
      ${key.grants?.until ?? null}::timestamptz)`,
    'insert_api_key',
  )
}

export interface StoredKey {
  readonly id: string
  readonly name: string
  readonly principal_kind: 'agent' | 'person' | 'service'
  readonly principal_id: string
  readonly abilities: string[]
  readonly revoked_at: Instant | null
  readonly expires_at: Instant | null
  readonly makers: string[]
  /** Of an invitation only. */
  readonly grants: string[] | null
  readonly grants_until: Instant | null
}
/** What holding the key comes to: for an invitation, what it can be exchanged for. */
export const rightsOf = (key: StoredKey): readonly string[] => key.grants ?? key.abilities

export async function lockApiKey(q: Queryable, tenantId: string, id: string): Promise<StoredKey | undefined> {
  const [row] = await q.query<StoredKey>(
    sql`select id, name, principal_kind, principal_id, abilities, revoked_at, expires_at, makers, grants, grants_until from wm.api_keys
         where tenant_id = ${tenantId} and id = ${id} for no key update`,
    'lock_api_key',
  )
  return row
}

/** Ends a key now or in `graceSeconds`; an earlier end stays. */
export async function revokeApiKey(
  q: Queryable,
  tenantId: string,
  id: string,
  end: { graceSeconds: number; replacedBy: string | null },
): Promise<boolean> {
  const rows = await q.query(
    sql`
    update wm.api_keys set revoked_at = clock_timestamp() + make_interval(secs => ${end.graceSeconds}), replaced_by = coalesce(${end.replacedBy}::uuid, replaced_by)
     where tenant_id = ${tenantId} and id = ${id} and (revoked_at is null or revoked_at > clock_timestamp() + make_interval(secs => ${end.graceSeconds})) returning id`,
    'revoke_api_key',
  )
  return rows.length === 1
}

/** The makers of a key; none where there is no such key. */
export async function findMakers(q: Queryable, keyId: string | null): Promise<readonly string[]> {
  if (keyId === null) return []
  const [row] = await q.query<{ makers: string[] }>(
    sql`select makers from wm.api_keys where tenant_id = wm.current_tenant() and id = ${keyId}`,
    'find_makers',
  )
  return row?.makers ?? []
}

/** The hash of an invitation's text → where it is; across tenants, so on the system pool. */
export async function findInvitation(system: SystemDb, hash: Buffer): Promise<{ tenant_id: string; id: string } | undefined> {
  const [row] = await system.query<{ tenant_id: string; id: string }>(
    sql`select tenant_id, id from wm.api_keys where key_hash = ${hash} and grants is not null`,
    'find_invitation',
  )
  return row
}

/**
 * Those of `involved` who are the same as whoever decides with this key: who made the key, and persons a key of whom the decider made.
 */
export async function findOneHand(
  q: Queryable,
  decider: { readonly principal: string; readonly keyId: string | null },
  involved: readonly string[],
): Promise<{ makers: readonly string[]; made: readonly string[] }> {
  const [row] = await q.query<{ makers: string[]; made: string[] }>(
    sql`select * from wm.one_hand(wm.current_tenant(), ${decider.principal}, ${decider.keyId}::uuid, ${involved}::text[])`,
    'find_one_hand',
  )
  return row!
}

/** Key JSON, newest first. The key itself is never shown again. */
export async function renderApiKeys(q: Queryable): Promise<string[]> {
  const rows = await q.query<{ json: string }>(
    sql`
    select json_build_object('id', k.id, 'prefix', k.prefix, 'name', k.name, 'kind', k.principal_kind, 'principal_id', k.principal_id,
             'abilities', to_json(coalesce(k.grants, k.abilities)), 'invitation', k.grants is not null, 'makers', to_json(k.makers), 'created_at', wm.wire_time(k.created_at), 'created_by', k.created_by,
             'expires_at', wm.wire_time(k.expires_at), 'revoked_at', wm.wire_time(k.revoked_at), 'replaced_by', k.replaced_by)::text as json
      from wm.api_keys k where k.tenant_id = wm.current_tenant() order by k.created_at desc, k.id desc limit 1000`,
    'render_api_keys',
  )
  return rows.map((row) => row.json)
}

export async function ensureTenant(system: SystemDb, tenant: { id: string; slug: string; name: string; tier: Tier }): Promise<string> {
  return system.transaction(async (q) => {
    await q.query(
      sql`insert into wm.tenants (id, slug, name, tier) values (${tenant.id}, ${tenant.slug}, ${tenant.name}, ${tenant.tier}) on conflict (slug) do nothing`,
    )
    const [row] = await q.query<{ id: string }>(sql`select id from wm.tenants where slug = ${tenant.slug}`)
    return row!.id
  })
}

export async function listTenants(q: Queryable): Promise<Array<{ id: string; slug: string }>> {
  return q.query(sql`select id, slug from wm.tenants where suspended_at is null order by slug`, 'list_tenants')
}
