/** What the verbs and services of the work-order system wake each other for. */
import { ownProcess, topics as ofKernel } from '../kernel/signals/work-signal.ts'

export const topics = {
  ...ofKernel,
  /** Items of the tenant became ready. */
  ready: (tenantId: string) => `ready:${tenantId}`,
  /** An order reached submitted: the auto-approver may act. */
  submitted: ownProcess('submitted'),
  /** An item failed: the retry scheduler and the dead-letterer may act. */
  failed: ownProcess('failed'),
  /** An order was approved: the applier may act. */
  approved: ownProcess('approved'),
  /** The order was applied or its apply failed. */
  settled: (orderId: string) => `settled:${orderId}`,
  /** An outside effect was committed. */
  effects: ownProcess('effects'),
} as const
