/** Keys and tenants from inside the process: for the command line and for the first start, before anybody holds a key. */
import { nearestName, type Tier, WorkError } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import { hashKey } from './api-keys.ts'
import { ensureTenant, findInvitation, renderApiKeys } from './store.ts'
import { systemActor } from '../kernel/store/events.ts'
import type { KernelTools } from '../kernel/tools.ts'
import { describeTenants, type TenantRow, updateTier } from '../kernel/store/tenants.ts'
import { defaultOverlapSeconds, endKey, type IssuedKey, issueKey, redeemInvitation, replaceKey } from './issue-key.ts'

const actor = systemActor('cli')
const by = { actor, keyId: null }

export interface KeyRequest {
  readonly tenant: string
  readonly kind: 'agent' | 'person' | 'service'
  readonly principalId: string
  readonly name: string
  readonly abilities: readonly string[]
  readonly expiresAt?: string
}
export type PlainKey = IssuedKey & { readonly key: string }
export interface ListedKey {
  readonly id: string
  readonly prefix: string
  readonly name: string
  readonly kind: string
  readonly principal_id: string
  readonly abilities: readonly string[]
  readonly expires_at: string | null
  readonly revoked_at: string | null
  /** It stands for a key of that person, who has not taken it yet. */
  readonly invitation: boolean
}
export interface KeyAdmin {
  /** The key itself, a person's too: whoever can do this owns the database, and whatever is in it. */
  create(request: KeyRequest): Promise<PlainKey>
  /** An invitation for a person, who redeems it for the key that nobody else sees. */
  invite(request: KeyRequest): Promise<IssuedKey>
  /** Redeems an invitation. Refuses with: not_an_invitation, key_revoked, key_expired. */
  claim(invitation: string): Promise<IssuedKey>
  list(tenant: string): Promise<ListedKey[]>
  rotate(tenant: string, id: string): Promise<IssuedKey>
  revoke(tenant: string, id: string): Promise<void>
  /** Makes sure that the tenant exists; the tier is that of a new one. */
  tenant(slug: string, name: string, tier?: Tier): Promise<{ id: string }>
  tenants(): Promise<TenantRow[]>
  /** Changes what a tenant is entitled to; servers that run believe it within seconds. Refuses with: not_found. */
  setTier(slug: string, tier: Tier): Promise<{ tier: Tier; before: Tier }>
}

export function createKeyAdmin({ db, system, keyEnded }: Pick<KernelTools, 'db' | 'system' | 'keyEnded'>): KeyAdmin {
  const tenant = async (slug: string, name: string, tier: Tier = 'default') => ({
    id: await ensureTenant(system, { id: uuidv7(), slug, name, tier }),
  })
  return {
    tenant,
    tenants: () => describeTenants(system),
    async setTier(slug, tier) {
      const before = await updateTier(system, slug, tier, actor.principal)
      if (before !== undefined) return { tier, before }
      const known = (await describeTenants(system)).map((each) => each.slug)
      const near = nearestName(slug, known)
      throw new WorkError('not_found', {
        detail: `There is no tenant '${slug.slice(0, 64)}'${near === undefined ? '' : `; did you mean ${near}?`}`,
        fix: 'List the tenants with `npx work-manager tenants`; one comes to be with its first key (`npx work-manager keys create --tenant`).',
      })
    },
    async create({ tenant: slug, ...wanted }) {
      const { id } = await tenant(slug, slug)
      const made = await db.transaction(id, async (tx) =>
        issueKey(tx, { ...wanted, expiresAt: wanted.expiresAt ?? null }, by, await tx.clock()),
      )
      return made as PlainKey
    },
    async invite({ tenant: slug, ...wanted }) {
      const { id } = await tenant(slug, slug)
      return db.transaction(id, async (tx) =>
        issueKey(tx, { ...wanted, expiresAt: wanted.expiresAt ?? null }, by, await tx.clock(), { invite: true }),
      )
    },
    async claim(invitation) {
      const found = await findInvitation(system, hashKey(invitation))
      if (!found) throw new WorkError('not_an_invitation')
      return db.transaction(found.tenant_id, (tx) => redeemInvitation(tx, found.id, actor))
    },
    async list(slug) {
      const { id } = await tenant(slug, slug)
      return (await db.read(id, renderApiKeys)).map((json) => JSON.parse(json) as ListedKey)
    },
    async rotate(slug, id) {
      const { id: tenantId } = await tenant(slug, slug)
      return db.transaction(tenantId, (tx) => replaceKey(tx, id, defaultOverlapSeconds, by))
    },
    async revoke(slug, id) {
      const { id: tenantId } = await tenant(slug, slug)
      const keyless = await db.transaction(tenantId, (tx) => endKey(tx, id, actor))
      if (keyless !== null) await keyEnded(tenantId, keyless, actor)
    },
  }
}
