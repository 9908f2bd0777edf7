/** Everything that Work Manager can do: the product's table of contents. A new verb is one file and one line here. */
import type { LedgerTools } from './ledger/tools.ts'
import type { WorkTools } from './work/tools.ts'
import { createKey } from './access/create-key.ts'
import { listKeys } from './access/list-keys.ts'
import { revokeKey } from './access/revoke-key.ts'
import { rotateKey } from './access/rotate-key.ts'
import { extendLeases } from './work/leases/extend-leases.ts'
import { getStatus } from './work/status/get-status.ts'
import { listPauses } from './work/pauses/list-pauses.ts'
import { pause } from './work/pauses/pause.ts'
import { listPublishers } from './ledger/publishers/list-publishers.ts'
import { movePublisherCursor } from './ledger/publishers/move-publisher-cursor.ts'
import { discardParkedMessage } from './ledger/publishers/discard-parked-message.ts'
import { listParkedMessages } from './ledger/publishers/list-parked-messages.ts'
import { retryParkedMessages } from './ledger/publishers/retry-parked-messages.ts'
import { purgeIdempotencyKeys } from './housekeeping/purge-idempotency-keys.ts'
import { reclaimLeases } from './work/leases/reclaim-leases.ts'
import { resume } from './work/pauses/resume.ts'
import { revokeLeases } from './work/leases/revoke-leases.ts'
import { runGenerators } from './work/generators/run-generators.ts'
import { runMaintenance } from './work/maintenance/run-maintenance.ts'
import type { Operation } from './kernel/operations/operation.ts'
import { approveOrder } from './work/approvals/approve-order.ts'
import { cancelOrder } from './work/orders/cancel-order.ts'
import { checkoutItem } from './work/leases/checkout-item.ts'
import { checkoutOrderItem } from './work/leases/checkout-order-item.ts'
import { explainOrder } from './work/orders/explain-order.ts'
import { exportLedger } from './ledger/export-ledger.ts'
import { failItem } from './work/items/fail-item.ts'
import { finalizeItem } from './work/parts/finalize-item.ts'
import { getItem } from './work/items/get-item.ts'
import { getOrder } from './work/orders/get-order.ts'
import { heartbeatItem } from './work/leases/heartbeat-item.ts'
import { listEvents } from './ledger/list-events.ts'
import { listProvenance } from './ledger/list-provenance.ts'
import { listItems } from './work/items/list-items.ts'
import { listOrderTypes } from './work/order-types/list-order-types.ts'
import { listOrders } from './work/orders/list-orders.ts'
import { listParts } from './work/parts/list-parts.ts'
import { listRecords } from './work/records/list-records.ts'
import { planOrder } from './work/orders/plan-order.ts'
import { proposeOrder } from './work/orders/propose-order.ts'
import { getItemLogs } from './work/items/get-item-logs.ts'
import { getOrderLogs } from './work/orders/get-order-logs.ts'
import { getOrderTimeline } from './work/orders/get-order-timeline.ts'
import { rejectOrder } from './work/approvals/reject-order.ts'
import { releaseItem } from './work/items/release-item.ts'
import { requeueItem } from './work/items/requeue-item.ts'
import { requeueOrder } from './work/orders/requeue-order.ts'
import { submitItem } from './work/items/submit-item.ts'
import { submitPart } from './work/parts/submit-part.ts'

/** What the systems need, in one object: each sees its own part. */
export type Tools = LedgerTools & WorkTools

export const operations: readonly Operation[] = [
  // intent
  proposeOrder,
  planOrder,
  // doing the work
  checkoutItem,
  checkoutOrderItem,
  heartbeatItem,
  submitItem,
  submitPart,
  finalizeItem,
  releaseItem,
  failItem,
  // deciding
  approveOrder,
  rejectOrder,
  cancelOrder,
  requeueOrder,
  requeueItem,
  // reading
  listOrderTypes,
  listOrders,
  getOrder,
  explainOrder,
  listItems,
  getItem,
  listParts,
  getItemLogs,
  getOrderLogs,
  getOrderTimeline,
  listEvents,
  listProvenance,
  listRecords,
  exportLedger,
  // administration
  createKey,
  listKeys,
  rotateKey,
  revokeKey,
  getStatus,
  revokeLeases,
  extendLeases,
  reclaimLeases,
  pause,
  resume,
  listPauses,
  runGenerators,
  runMaintenance,
  purgeIdempotencyKeys,
  listPublishers,
  movePublisherCursor,
  listParkedMessages,
  retryParkedMessages,
  discardParkedMessage,
]
