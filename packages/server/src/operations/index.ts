/** Everything that Work Manager can do: the product's table of contents. A new verb is one file and one line here. */
import { createKey, listKeys, revokeKey, rotateKey } from './admin/api-keys.ts'
import { extendLeases } from './admin/extend-leases.ts'
import { getStatus } from './admin/get-status.ts'
import { listPauses } from './admin/list-pauses.ts'
import { pauseOperation } from './admin/pause.ts'
import { listPublishers } from './admin/list-publishers.ts'
import { movePublisherCursor } from './admin/move-publisher-cursor.ts'
import { discardParkedMessageOperation, listParkedMessages, retryParkedMessages } from './admin/parked-messages.ts'
import { purgeIdempotencyKeys } from './admin/purge-idempotency-keys.ts'
import { reclaimLeases } from './admin/reclaim-leases.ts'
import { resume } from './admin/resume.ts'
import { revokeLeases } from './admin/revoke-leases.ts'
import { runGenerators } from './admin/run-generators.ts'
import { runMaintenance } from './admin/run-maintenance.ts'
import type { Operation } from './operation.ts'
import { approveOrder } from './work/approve-order.ts'
import { cancelOrder } from './work/cancel-order.ts'
import { checkoutItem, checkoutOrderItem } from './work/checkout-item.ts'
import { explainOrder } from './work/explain-order.ts'
import { exportLedger } from './work/export-ledger.ts'
import { failItem } from './work/fail-item.ts'
import { finalizeItem } from './work/finalize-item.ts'
import { getItem } from './work/get-item.ts'
import { getOrder } from './work/get-order.ts'
import { heartbeatItem } from './work/heartbeat-item.ts'
import { listEventsOperation, listProvenance } from './work/list-events.ts'
import { listItems } from './work/list-items.ts'
import { listOrderTypes } from './work/list-order-types.ts'
import { listOrders } from './work/list-orders.ts'
import { listParts } from './work/list-parts.ts'
import { listRecords } from './work/list-records.ts'
import { planOrder } from './work/plan-order.ts'
import { proposeOrder } from './work/propose-order.ts'
import { getItemLogs, getOrderLogs, getOrderTimeline } from './work/read-logs.ts'
import { rejectOrder } from './work/reject-order.ts'
import { releaseItem } from './work/release-item.ts'
import { requeueItem } from './work/requeue-item.ts'
import { requeueOrder } from './work/requeue-order.ts'
import { submitItem } from './work/submit-item.ts'
import { submitPart } from './work/submit-part.ts'

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
  listEventsOperation,
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
  pauseOperation,
  resume,
  listPauses,
  runGenerators,
  runMaintenance,
  purgeIdempotencyKeys,
  listPublishers,
  movePublisherCursor,
  listParkedMessages,
  retryParkedMessages,
  discardParkedMessageOperation,
]
