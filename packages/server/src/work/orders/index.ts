import { defineNoun } from '../tools.ts'
import { cancelOrder } from './cancel-order.ts'
import { explainOrder } from './explain-order.ts'
import { getOrderLogs } from './get-order-logs.ts'
import { getOrderTimeline } from './get-order-timeline.ts'
import { getOrder } from './get-order.ts'
import { listOrders } from './list-orders.ts'
import { planOrder } from './plan-order.ts'
import { proposeOrder } from './propose-order.ts'
import { requeueOrder } from './requeue-order.ts'
import { simulateOrder } from './simulate-order.ts'
import { staleOrderAlert } from './stale-order-alert.ts'

export const orders = defineNoun({
  name: 'orders',
  operations: [
    proposeOrder,
    simulateOrder,
    planOrder,
    listOrders,
    getOrder,
    explainOrder,
    getOrderLogs,
    getOrderTimeline,
    cancelOrder,
    requeueOrder,
  ],
  services: {
    'stale-order-alert': (tools, { maintenance }) =>
      staleOrderAlert(tools, { thresholdHours: maintenance.stale_order_threshold_hours, logAlerts: maintenance.enable_alerts }),
  },
})
