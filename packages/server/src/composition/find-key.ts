/** Keys by their hash, for the authenticator. */
import type { KeyRow, Moment } from '../access/authenticate.ts'
import { createBatcher } from '../kernel/batching/batcher.ts'
import { type ApiKeyRow, findApiKeysByHash, findKeyEnds } from '../access/store.ts'
import type { KeyEnd } from '../kernel/key-end.ts'
import type { Db, SystemDb } from '../kernel/store/tx.ts'

const asMoment = (text: string | null, inMs: number | null): Moment | null =>
  text === null || inMs === null ? null : { at: new Date(text), monotonicMs: performance.now() + inMs }
const asKey = (row: ApiKeyRow): KeyRow => ({
  tenantId: row.tenant_id,
  tenantSlug: row.tenant_slug,
  id: row.id,
  principalKind: row.principal_kind,
  principalId: row.principal_id,
  abilities: row.abilities,
  expires: asMoment(row.expires_at, row.expires_in_ms),
  revoked: asMoment(row.revoked_at, row.revoked_in_ms),
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

/** Whether keys of callers who wait still work; they ask once a second each, so they ask together. */
export function createKeyEnds(db: Db): (tenantId: string, keyId: string) => Promise<KeyEnd | null> {
  const ask = createBatcher<{ readonly tenantId: string; readonly keyId: string }, KeyEnd | null>({
    lane: ({ tenantId }) => tenantId,
    async run(asked) {
      const { tenantId } = asked[0]!
      const ids = asked.map(({ keyId }) => keyId)
      const ends = new Map((await db.read(tenantId, (q) => findKeyEnds(q, tenantId, ids))).map(({ id, why }) => [id, why]))
      return ids.map((id) => ends.get(id) ?? null)
    },
    isCommon: () => true,
    maxBatch: 256,
    inFlightPerLane: 1,
  })
  return (tenantId, keyId) => ask({ tenantId, keyId })
}
