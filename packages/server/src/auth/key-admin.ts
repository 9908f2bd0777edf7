/** Keys and tenants from inside the process: for the command line and for the first start, before anybody holds a key. */
import { WorkError } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import { ensureTenant, insertApiKey, lockApiKey, renderApiKeys, revokeApiKey } from '../store/api-keys.ts'
import type { Db, SystemDb } from '../store/tx.ts'
import { generateKey } from './api-keys.ts'

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
  revoke(tenant: string, id: string): Promise<boolean>
  /** Makes sure that the tenant exists. */
  tenant(slug: string, name: string): Promise<{ id: string }>
}

export function createKeyAdmin({ db, system }: { db: Db; system: SystemDb }): KeyAdmin {
  const tenant = async (slug: string, name: string) => ({ id: await ensureTenant(system, { id: uuidv7(), slug, name }) })
  return {
    tenant,
    async create(request) {
      const { id: tenantId } = await tenant(request.tenant, request.tenant)
      const key = generateKey(request.kind)
      const id = uuidv7()
      await db.transaction(tenantId, (tx) =>
        insertApiKey(tx, tenantId, {
          id,
          prefix: key.prefix,
          hash: key.hash,
          name: request.name,
          principalKind: request.kind,
          principalId: request.principalId,
          abilities: request.abilities,
          createdBy: 'system:cli',
          expiresAt: request.expiresAt ?? null,
        }),
      )
      return { key: key.plain, id }
    },
    async list(slug) {
      const { id } = await tenant(slug, slug)
      return (await db.read(id, renderApiKeys)).map((json) => JSON.parse(json) as ListedKey)
    },
    async rotate(slug, id) {
      const { id: tenantId } = await tenant(slug, slug)
      return db.transaction(tenantId, async (tx) => {
        const old = await lockApiKey(tx, tenantId, id)
        if (!old || old.revoked_at !== null) throw new WorkError('not_found', { detail: `There is no live key ${id}.` })
        const key = generateKey(old.principal_kind)
        const next = uuidv7()
        await insertApiKey(tx, tenantId, {
          id: next,
          prefix: key.prefix,
          hash: key.hash,
          name: old.name,
          principalKind: old.principal_kind,
          principalId: old.principal_id,
          abilities: old.abilities,
          createdBy: 'system:cli',
          expiresAt: old.expires_at,
        })
        await revokeApiKey(tx, tenantId, id, { graceSeconds: 3600, replacedBy: next })
        return { key: key.plain, id: next }
      })
    },
    async revoke(slug, id) {
      const { id: tenantId } = await tenant(slug, slug)
      return db.transaction(tenantId, (tx) => revokeApiKey(tx, tenantId, id, { graceSeconds: 0, replacedBy: null }))
    },
  }
}
