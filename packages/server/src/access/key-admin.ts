/** Keys and tenants from inside the process: for the command line and for the first start, before anybody holds a key. */
import { nearestName, type Tier, WorkError } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import { ensureTenant, renderApiKeys } from './store.ts'
import { systemActor } from '../kernel/store/events.ts'
import type { KernelTools } from '../kernel/tools.ts'
import { describeTenants, type TenantRow, updateTier } from '../kernel/store/tenants.ts'
import { defaultOverlapSeconds, endKey, issueKey, replaceKey } from './issue-key.ts'

const actor = systemActor('cli')

export interface KeyRequest {
  readonly tenant: string
  readonly kind: 'agent' | 'person' | 'service'
  readonly principalId: string
  readonly name: string
  readonly abilities: readonly string[]
  readonly expiresAt?: string
}
export interface ListedKey {
  readonly id: string
  readonly prefix: string
  readonly name: string
  readonly kind: string
  readonly principal_id: string
  readonly abilities: readonly string[]
  readonly expires_at: string | null
  readonly revoked_at: string | null
}
export interface KeyAdmin {
  create(request: KeyRequest): Promise<{ key: string; id: string }>
  list(tenant: string): Promise<ListedKey[]>
  rotate(tenant: string, id: string): Promise<{ key: string; id: string }>
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
      return db.transaction(id, async (tx) => issueKey(tx, { ...wanted, expiresAt: wanted.expiresAt ?? null }, actor, await tx.clock()))
    },
    async list(slug) {
      const { id } = await tenant(slug, slug)
      return (await db.read(id, renderApiKeys)).map((json) => JSON.parse(json) as ListedKey)
    },
    async rotate(slug, id) {
      const { id: tenantId } = await tenant(slug, slug)
      return db.transaction(tenantId, (tx) => replaceKey(tx, id, defaultOverlapSeconds, actor))
    },
    async revoke(slug, id) {
      const { id: tenantId } = await tenant(slug, slug)
      const keyless = await db.transaction(tenantId, (tx) => endKey(tx, id, actor))
      if (keyless !== null) await keyEnded(tenantId, keyless, actor)
    },
  }
}
