import { defineNoun } from '../tools.ts'
import { checkoutItem } from './checkout-item.ts'
import { checkoutOrderItem } from './checkout-order-item.ts'
import { extendLeases } from './extend-leases.ts'
import { heartbeatItem } from './heartbeat-item.ts'
import { leaseReclaimer } from './lease-reclaimer.ts'
import { reclaimLeases } from './reclaim-leases.ts'
import { revokeLeases } from './revoke-leases.ts'

export const leases = defineNoun({
  name: 'leases',
  operations: [checkoutItem, checkoutOrderItem, heartbeatItem, extendLeases, revokeLeases, reclaimLeases],
  services: {
    'lease-reclaimer': (tools, { maintenance }) => leaseReclaimer(tools, maintenance.reclaim_every_ms),
  },
})
