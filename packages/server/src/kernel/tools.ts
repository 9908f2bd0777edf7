/** What every operation and background service may use besides its transaction; a system adds its own (`work/tools.ts`). */
import type { Logger } from 'pino'
import type { TenantCache } from '../cache/cache.ts'
import type { MetricsDriver } from '../metrics/metrics.ts'
import type { RateLimits } from '../rate-limits/rate-limits.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { KeyEnd } from './key-end.ts'
import type { WorkSignal } from './signals/work-signal.ts'
import type { Actor } from './store/events.ts'
import type { Db, SystemDb } from './store/tx.ts'

/** Settings that verbs of any noun read. */
export interface KernelSettings {
  readonly defaultPageSize: number
  readonly maxPageSize: number
  readonly idempotencyTtlSeconds: number
  readonly maxWaitSeconds: number
  /** Where the operations are mounted, for links: public URL (may be empty) and path. */
  readonly baseUrl: string
}

/** The record's numbers, as its readers need them (ledger/sequencer.ts). */
export interface RecordNumbers {
  /** Resolves once the tenant's events up to this row of the intake have their numbers. Refuses with: record_behind. */
  catchUp(tenantId: string, newest: string): Promise<void>
}

export interface KernelTools {
  readonly db: Db
  readonly system: SystemDb
  readonly record: RecordNumbers
  readonly signal: WorkSignal
  readonly settings: KernelSettings
  readonly log: Logger
  readonly metrics: MetricsDriver
  readonly tracing: Tracing
  readonly rateLimits: RateLimits
  readonly cache: TenantCache
  /** What cursors are signed with (kernel/operations/cursor.ts). */
  readonly cursorSecret: Buffer
  /** What is remembered of keys may be out of date: ask the database again. */
  forgetKeys(): void
  /** Why the key no longer works, asked of the database; null while it does. */
  keyEnd(tenantId: string, keyId: string): Promise<KeyEnd | null>
  /** A principal lost its last key: what it holds is taken back. */
  keyEnded(tenantId: string, principal: string, by: Actor): Promise<void>
  /** True once the process is shutting down: long polls end. */
  isDraining(): boolean
}
