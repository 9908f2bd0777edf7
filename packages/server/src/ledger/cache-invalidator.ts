/** Reads the ledger behind the cache: whatever a committed event may have changed is out of date in this process from then on. */
import { eventSpecs } from '@work-manager/contract'
import type { LedgerTools } from './tools.ts'
import { changedFamilies, ledgerHeads } from './store.ts'
import type { ServiceDefinition } from '../kernel/service.ts'

/** What every event may have changed, when there are too many to look at. */
const allFamilies = [...new Set(Object.keys(eventSpecs).map((kind) => kind.split('.', 1)[0]!))]

export function cacheInvalidator({ cache, system, forgetKeys }: LedgerTools): ServiceDefinition {
  const reached = new Map<string, string>()
  return {
    name: 'cache-invalidator',
    everyMs: 250,
    async run() {
      let done = 0
      for (const { tenant_id: tenantId, seq } of await ledgerHeads(system)) {
        const from = reached.get(tenantId)
        if (from === seq) continue
        const families =
          from === undefined ? allFamilies : ((await changedFamilies(system, tenantId, { after: from, through: seq })) ?? allFamilies)
        await cache.raise(tenantId, families)
        if (families.includes('key') || families.includes('tenant')) forgetKeys()
        reached.set(tenantId, seq)
        done++
      }
      return { done, more: false }
    },
  }
}
