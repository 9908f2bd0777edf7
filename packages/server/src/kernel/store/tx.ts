/**
 * Database handles. A `Queryable` reads; a `Tx` writes and cannot be forgotten or nested: it exists only inside
 * `transaction(tenantId, …)`, which sets the tenant for row security with SET LOCAL semantics, so it dies with the transaction.
 */
import type { Sql } from 'sql-template-tag'

/**
 * A moment as the database gave it: RFC 3339 UTC with microseconds (`2026-01-02T03:04:05.000006Z`), so that nothing is rounded on
 * the way through JavaScript and two of them compare as text.
 */
export type Instant = string

export const secondsAfter = (instant: Instant, seconds: number): Instant =>
  `${new Date(Date.parse(`${instant.slice(0, 19)}Z`) + seconds * 1000).toISOString().slice(0, 19)}${instant.slice(19)}`

export interface Queryable {
  /** Runs one statement and returns its rows. Give hot statements a stable `name`; they are prepared once per connection. */
  query<Row>(statement: Sql, name?: string): Promise<Row[]>
}

declare const open: unique symbol
export interface Tx extends Queryable {
  readonly [open]: true
  readonly tenantId: string
  /** `clock_timestamp()` in a statement of its own: call it after the locks, it is the decision point. */
  clock(): Promise<Instant>
  /** Neither one statement nor silence between two may last longer than `ms` from here on, to the end of the transaction. */
  /** `isSet`: a function of the database has told the server so already. */
  allow(ms: number, isSet?: boolean): Promise<void>
  /** Items whose lease this transaction ends or changes; told to `Database.onLeasesChanged` once it is committed. */
  readonly changedLeases: string[]
}

/** The tenant-bound pool: every statement sees one tenant's rows. */
export interface Db {
  /** Reads in a transaction of their own (read only, one snapshot per statement). */
  read<T>(tenantId: string, work: (q: Queryable) => Promise<T>): Promise<T>
  /** Serial guarded work. Retries the whole of `work` on 40001, 40P01, 55P03 (at most 3 times, full jitter), so it must be repeatable. */
  transaction<T>(tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T>
  /**
   * One statement that is a transaction of its own and one round trip: a call of a function (migrations/routines) that sets the tenant
   * itself. Repeated like `transaction`.
   */
  call<Row>(tenantId: string, statement: Sql, name: string): Promise<Row[]>
}

/** The sweeping pool: sees every tenant, used by background services, the sequencer and key look-up only. */
export interface SystemDb extends Queryable {
  transaction<T>(work: (q: Queryable) => Promise<T>): Promise<T>
}
