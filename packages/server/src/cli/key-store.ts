/**
 * API keys, by the way that is open: over HTTP to a running server, or straight in the database when we may open it.
 * An embedded database belongs to the process that serves it, so there the server is asked as long as it runs.
 */
import type { CreateKeyInput } from '@work-manager/sdk'
import type { IssuedKey } from '../access/issue-key.ts'
import type { KeyRequest, ListedKey } from '../access/key-admin.ts'
import type { Context } from './context.ts'
import { usageError } from './cli-error.ts'
import { localTenant } from './local-tenant.ts'
import { opensDatabase, withManager } from './opened-manager.ts'

export type NewKey = Omit<KeyRequest, 'tenant'>

export interface KeyStore {
  /** `invite`: also where the key itself could be shown. */
  create(key: NewKey, how?: { readonly invite?: boolean }): Promise<IssuedKey>
  list(): Promise<readonly ListedKey[]>
  rotate(id: string): Promise<IssuedKey>
  revoke(id: string): Promise<void>
}

/** Runs `use` with the keys of a tenant. Over HTTP the tenant is the one of the credential. */
export async function withKeyStore<T>(context: Context, tenant: string | undefined, use: (keys: KeyStore) => Promise<T>): Promise<T> {
  const direct = await opensDatabase(context)
  if (direct) return inDatabase(context, tenant ?? localTenant.slug, use)
  if (tenant !== undefined)
    throw usageError(
      '--tenant cannot be chosen through a server: the tenant is the one of your key.',
      'Leave --tenant out and use a key of that tenant, or run the command where DATABASE_URL is set.',
    )
  return use(await overHttp(context))
}

function inDatabase<T>(context: Context, tenant: string, use: (keys: KeyStore) => Promise<T>): Promise<T> {
  return withManager(context, async ({ keys }) => {
    // On a database of one's own, too, it is made as the first start makes it.
    if (tenant === localTenant.slug) await keys.tenant(localTenant.slug, localTenant.name, localTenant.tier)
    return use({
      create: (key, { invite = false } = {}) => (invite ? keys.invite({ ...key, tenant }) : keys.create({ ...key, tenant })),
      list: () => keys.list(tenant),
      rotate: (id) => keys.rotate(tenant, id),
      revoke: (id) => keys.revoke(tenant, id),
    })
  })
}

async function overHttp(context: Context): Promise<KeyStore> {
  const client = await context.client()
  return {
    create: async ({ kind, principalId, name, abilities, expiresAt }) =>
      (
        await client.call('create_key', {
          kind,
          principal_id: principalId,
          name,
          abilities: abilities as CreateKeyInput['abilities'],
          ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
        })
      ).body,
    list: async () => (await client.call('list_keys', {})).body.keys as readonly ListedKey[],
    rotate: async (id) => (await client.call('rotate_key', { key: id })).body,
    revoke: async (id) => void (await client.call('revoke_key', { key: id })),
  }
}

/** Redeems an invitation: at the server, which knows its tenant; or in the database, where that is what we open. */
export async function claimKey(context: Context, invitation: { text: string; from: string }): Promise<IssuedKey> {
  if (await opensDatabase(context)) return withManager(context, ({ keys }) => keys.claim(invitation.text))
  return (await (await context.client(invitation)).call('claim_key', {})).body
}
