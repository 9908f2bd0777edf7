/** What never changes about an item (input, type, order; the runtime role may not write them), kept in memory of one server. */
import { LRUCache } from 'lru-cache'
import type { LeasedItem } from '../hot-path/requests.ts'
import type { ItemBrief } from './store.ts'

export interface ItemBriefs {
  /** What was leased by this process is known without asking: mostly the same server hears the submit. */
  rememberLeased(tenantId: string, item: LeasedItem): void
  remember(tenantId: string, brief: ItemBrief): void
  find(tenantId: string, itemId: string): ItemBrief | undefined
}

const keyOf = (tenantId: string, itemId: string): string => `${tenantId} ${itemId}`

export function createItemBriefs(): ItemBriefs {
  const briefs = new LRUCache<string, ItemBrief>({
    max: 5_000,
    maxSize: 32 * 1024 * 1024,
    sizeCalculation: (brief) => 200 + JSON.stringify(brief.input).length,
  })
  /** As the checkout's answer rendered them; parsed when they are needed. */
  const leased = new LRUCache<string, string>({ max: 5_000, maxSize: 16 * 1024 * 1024, sizeCalculation: (json) => 200 + json.length })
  return {
    rememberLeased(tenantId, item) {
      leased.set(keyOf(tenantId, item.itemId), item.json)
    },
    remember(tenantId, brief) {
      briefs.set(keyOf(tenantId, brief.id), brief)
    },
    find(tenantId, itemId) {
      const key = keyOf(tenantId, itemId)
      const known = briefs.get(key)
      if (known) return known
      const json = leased.get(key)
      if (json === undefined) return undefined
      const { order_id, type, input, traceparent } = JSON.parse(json) as ItemBrief
      return { id: itemId, order_id, type, input, traceparent }
    },
  }
}
