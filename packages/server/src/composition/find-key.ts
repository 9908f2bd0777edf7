/** Keys by their hash, for the authenticator. */
import type { KeyRow } from '../access/authenticate.ts'
import { createBatcher } from '../kernel/batching/batcher.ts'
import { type ApiKeyRow, findApiKeysByHash } from '../access/store.ts'
import type { SystemDb } from '../kernel/store/tx.ts'

const asDate = (text: string | null): Date | null => (text === null ? null : new Date(text))
const asKey = (row: ApiKeyRow): KeyRow => ({
  tenantId: row.tenant_id,
  tenantSlug: row.tenant_slug,
  id: row.id,
  principalKind: row.principal_kind,
  principalId: row.principal_id,
  abilities: row.abilities,
  expiresAt: asDate(row.expires_at),
  revokedAt: asDate(row.revoked_at),
  tenantSuspended: row.tenant_suspended,
  tier: row.tier,
})

/** What is known of a key is forgotten after some seconds: many agents must not ask for theirs one by one. */
export const createKeyLookUp = (system: SystemDb): ((hash: Buffer) => Promise<KeyRow | null>) =>
  createBatcher<Buffer, KeyRow | null>({
    lane: () => 'keys',
    async run(hashes) {
      const rows = new Map((await findApiKeysByHash(system, hashes)).map((row) => [row.key_hash.toString('hex'), asKey(row)]))
      return hashes.map((hash) => rows.get(hash.toString('hex')) ?? null)
    },
    isCommon: () => true,
    maxBatch: 256,
    inFlightPerLane: 1,
  })
