/** What the verbs and services of the work-order system may use. */
import { type OperationContext, operationsWith } from '../kernel/operations/operation.ts'
import type { Backoff } from '../kernel/retry.ts'
import { nounsWith } from '../kernel/system.ts'
import type { KernelSettings, KernelTools } from '../kernel/tools.ts'
import type { Applies } from './applying/applies.ts'
import type { HotPath } from './hot-path/hot-path.ts'
import type { ItemBriefs } from './items/item-briefs.ts'
import type { LeaseLimits } from './leases/decide-limits.ts'
import type { OrderTypeRegistry } from './order-types/registry.ts'
import type { Allowances } from './orders/allowances.ts'
import type { Proposals } from './orders/proposals.store.ts'

export interface WorkSettings extends KernelSettings {
  readonly leaseTtlSeconds: number
  /** How old a lease grows by heartbeats alone, where its type says nothing. */
  readonly maxLeaseSeconds: number
  readonly cooldownSeconds: number
  readonly releaseGraceSeconds: number
  readonly maxRetryAfterSeconds: number
  /** Orders of one principal that may be undecided at a time. */
  readonly maxOpenOrders: number
  /** Null when nothing is limited. */
  readonly leaseLimits: LeaseLimits | null
  readonly heartbeatEverySeconds: number
  readonly defaultMaxAttempts: number
  /** Where a type sets no backoff of its own. */
  readonly backoff: Backoff
  readonly maxPartsPerItem: number
  readonly maxPartBytes: number
  /** Of all parts of one item together. */
  readonly maxItemBytes: number
  readonly requireLeaseToken: boolean
  readonly requireDigest: boolean
  readonly approveWaitMs: number
  /** Seconds that one point of priority is worth against waiting. */
  readonly ageingSeconds: number
  /** Signs order contexts for the direct-mutation guard; null when none is configured. */
  readonly guardSecret: string | null
  readonly deadLetterAfterHours: number
  readonly staleThresholdHours: number
}

export interface WorkTools extends KernelTools {
  readonly settings: WorkSettings
  readonly types: OrderTypeRegistry
  readonly hotPath: HotPath
  readonly briefs: ItemBriefs
  readonly allowances: Allowances
  readonly proposals: Proposals
  /** Where orders are applied, as soon as they are approved. */
  readonly applies: Applies
  /** Cluster epoch: part of every lease token; a restore raises it, which kills all older tokens. */
  readonly epoch: number
}

export type WorkContext = OperationContext<WorkTools>

export const defineOperation = operationsWith<WorkTools>()
export const defineNoun = nounsWith<WorkTools>()
