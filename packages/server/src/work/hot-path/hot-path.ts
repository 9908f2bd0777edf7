/**
 * Checkout, heartbeat and submit: validated in memory, decided by PostgreSQL. The clean cases of all tenants share one statement
 * (windows.ts); the rest is asked with one statement for each verb and tenant (migrations/routines/20_leases.sql). Locks, clock, guarded
 * writes, idempotency and events happen inside that one round trip.
 */
import { WorkError } from '@work-manager/contract'
import type { LeaseLimits } from '../leases/decide-limits.ts'
import type { LeaseHints } from '../lease-hints/lease-hints.ts'
import type { HotConnection } from '../../kernel/store/database.ts'
import { asWorkError } from '../../kernel/store/pg-errors.ts'
import type { Tracing } from '../../tracing/tracing.ts'
import { batchedCheckouts } from './checkout-batch.ts'
import { batchedHeartbeats } from './heartbeat-batch.ts'
import type { Asker, CheckoutAnswer, CheckoutRequest, HeartbeatAnswer, LeaseVerb, SubmitAnswer, SubmitRequest } from './requests.ts'
import type { BatchContext, RunQuery } from './slots.ts'
import { batchedSubmits } from './submit-batch.ts'
import { absorbing } from './hinted-leases.ts'
import { throughWindows } from './windows.ts'
import { createTurns } from '../../kernel/batching/turns.ts'

export interface HotPath {
  checkout(request: CheckoutRequest): Promise<CheckoutAnswer>
  heartbeat(request: LeaseVerb): Promise<HeartbeatAnswer>
  submit(request: SubmitRequest): Promise<SubmitAnswer>
}

const maxBatch = 128
/** Two, so that a statement which waits for somebody's lock does not stop its kind. */
const inFlightPerLane = 2
/** Statements of a tenant at a time: one is on the wire while another commits, and both are large. Measured in bench/README.md. */
const inFlightPerTenant = 2

const isCommon = (error: unknown): boolean => error instanceof WorkError && error.code === 'database_unavailable'

export function createHotPath(options: {
  readonly connection: HotConnection
  readonly windows: HotConnection
  readonly epoch: number
  readonly heartbeatEverySeconds: number
  readonly idempotencyTtlSeconds: number
  readonly leaseLimits: LeaseLimits | null
  /** null: the database is asked for everything. */
  readonly hints: LeaseHints | null
  readonly tracing: Tracing
}): HotPath {
  const through =
    (connection: HotConnection): RunQuery =>
    async <Row>(name: string, text: string, values: readonly unknown[]): Promise<Row[]> => {
      try {
        return await connection.query<Row>(name, text, values)
      } catch (error) {
        // One statement: when the connection breaks, it is not known whether it was committed.
        throw asWorkError(error, 'commit')
      }
    }
  const query = through(options.connection)
  const turns = { of: createTurns(inFlightPerTenant), group: (request: Asker) => request.tenantId }
  const batching = { isCommon, maxBatch, inFlightPerLane, turns }
  const context: BatchContext = { query, hints: options.hints, tracing: options.tracing, batching }
  const { hints } = options
  const apart = {
    checkout: batchedCheckouts(context, options),
    heartbeat: batchedHeartbeats(context),
    submit: batchedSubmits(context, options),
  }
  const verbs = throughWindows(apart, {
    ...options,
    query: through(options.windows),
    isCommon,
    countsLeases: options.leaseLimits !== null,
  })
  if (!hints) return verbs
  // Confirms what is in progress already, so no event comes of it that would name who asked.
  hints.start((heartbeat) =>
    apart.heartbeat({ ...heartbeat, actorType: 'agent', actorId: heartbeat.agentId, requestId: '', provenanceId: null, traceId: null }),
  )
  return { ...verbs, heartbeat: absorbing(hints, verbs.heartbeat, (expiresAt) => ({ kind: 'held', expiresAt, absorbed: true })) }
}
