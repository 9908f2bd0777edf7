/** What operations may use besides their transaction; wired once in main.ts. */
import type { LeaseLimits } from '../domain/governance.ts'
import type { Backoff } from '../domain/retry.ts'
import type { Db, SystemDb } from '../store/tx.ts'
import type { OrderTypeRegistry } from '../order-types/registry.ts'
import type { Logger } from 'pino'
import type { TenantCache } from '../cache/cache.ts'
import type { MetricsDriver } from '../metrics/metrics.ts'
import type { HotPath } from '../hot-path/hot-path.ts'
import type { RateLimits } from '../rate-limits/rate-limits.ts'
import type { WorkSignal } from '../signals/work-signal.ts'
import type { Tracing } from '../tracing/tracing.ts'

export interface OperationSettings {
  readonly leaseTtlSeconds: number
  /** Null when nothing is limited. */
  readonly leaseLimits: LeaseLimits | null
  readonly heartbeatEverySeconds: number
  readonly defaultMaxAttempts: number
  /** Where a type sets no backoff of its own. */
  readonly backoff: Backoff
  readonly maxPartsPerItem: number
  /** The publishers that are in use. */
  readonly publishers: readonly string[]
  readonly maxPartBytes: number
  readonly defaultPageSize: number
  readonly maxPageSize: number
  readonly requireLeaseToken: boolean
  readonly requireDigest: boolean
  readonly approveWaitMs: number
  readonly idempotencyTtlSeconds: number
  readonly maxWaitSeconds: number
  /** Seconds that one point of priority is worth against waiting. */
  readonly ageingSeconds: number
  /** Signs order contexts for the direct-mutation guard; null when none is configured. */
  readonly guardSecret: string | null
  readonly deadLetterAfterHours: number
  readonly staleThresholdHours: number
  /** Where the operations are mounted, for links: public URL (may be empty) and path. */
  readonly baseUrl: string
}

export interface Services {
  readonly db: Db
  readonly system: SystemDb
  readonly types: OrderTypeRegistry
  readonly hotPath: HotPath
  readonly signal: WorkSignal
  readonly settings: OperationSettings
  readonly log: Logger
  readonly metrics: MetricsDriver
  readonly tracing: Tracing
  readonly rateLimits: RateLimits
  readonly cache: TenantCache
  /** True once the process is shutting down: long polls end. */
  isDraining(): boolean
  /** Cluster epoch: part of every lease token; a restore raises it, which kills all older tokens. */
  readonly epoch: number
}
