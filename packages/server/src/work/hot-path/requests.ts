/** What the lease verbs ask of the hot path, and what it answers. */
import type { KeyEnd } from '../../kernel/key-end.ts'
import type { LeaseLimitReached } from '../leases/decide-limits.ts'
import type { PauseInForce } from '../pauses/decide.ts'
import type { LeaseSeen } from '../leases/decide.ts'
import type { Actor } from '../../kernel/store/events.ts'
import type { Instant } from '../../kernel/store/tx.ts'
import type { OperationTrace } from '../../tracing/operation-trace.ts'

/** The actor of the events that come of a lease verb, with the agent id that leases are held under. */
export interface Asker extends Pick<Actor, 'actorType' | 'actorId' | 'principal' | 'requestId' | 'provenanceId' | 'traceId'> {
  readonly tenantId: string
  readonly agentId: string
  /** The span of the call, where spans are recorded. */
  readonly trace?: OperationTrace | null
}

export interface CheckoutRequest extends Asker {
  /** The key that asks; null: none, inside the process. Whether it still works is judged with the grant. */
  readonly keyId: string | null
  readonly orderId: string | null
  readonly type: string | null
  readonly minPriority: number | null
}
export interface LeasedItem {
  readonly itemId: string
  readonly orderId: string
  /** The `item` object of the answer, rendered. */
  readonly json: string
}
export type CheckoutAnswer =
  | ({ readonly kind: 'leased' } & LeasedItem)
  | ({ readonly kind: 'limited' } & LeaseLimitReached)
  | { readonly kind: 'paused'; readonly pause: PauseInForce }
  | { readonly kind: 'key_ended'; readonly why: KeyEnd }
  | { readonly kind: 'none' }

export interface LeaseVerb extends Asker {
  readonly itemId: string
  readonly token: string | null
}
export interface HeartbeatRequest extends LeaseVerb {
  /** A heartbeat that the database hears of late extends no further than its holder was told then. */
  readonly noLaterThan?: Instant
}
export type HeartbeatAnswer =
  /** `absorbed`: answered from a hint; the database hears of it in a moment. */
  | { readonly kind: 'held'; readonly expiresAt: Instant; readonly absorbed?: true }
  | { readonly kind: 'refused'; readonly seen: LeaseSeen }
  | { readonly kind: 'absent' }

export interface SubmitRequest extends LeaseVerb {
  /** Kept with the submission: a decision about it is linked to where it was handed in. */
  readonly traceparent: string | null
  readonly result: unknown
  readonly evidence: unknown
  readonly notes: string | null
  readonly digest: string
  readonly assembledParts: number | null
  readonly idempotency: { readonly keyHash: Buffer; readonly fingerprint: Buffer } | null
}
export type SubmitAnswer =
  | {
      readonly kind: 'done'
      readonly body: string
      readonly orderId: string
      readonly orderSubmitted: boolean
      readonly decidedAt: Instant
    }
  | { readonly kind: 'replay'; readonly status: number; readonly body: string }
  | { readonly kind: 'mismatch' | 'in_flight' | 'absent' }
  | { readonly kind: 'refused'; readonly seen: LeaseSeen }
