/**
 * The contract between Work Manager and the people who write order types. A type is plain data and functions; `plan`, `verify`
 * and `canApprove` are pure, `gather` may read the world within a time limit, and only `apply` changes anything: inside the
 * transaction of its context (exactly once), or by declaring effects (at least once, with a stable key).
 */
import type { Diff, Evidence, FieldError } from '@work-manager/contract'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { TSchema, Static } from 'typebox'
import type { AnySchema } from '../../kernel/schemas/any-schema.ts'
import type { Queryable } from '../../kernel/store/tx.ts'

export type { AnySchema }
export type InferSchema<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : S extends TSchema ? Static<S> : unknown

/** One finding of a check. `field` is a dotted path relative to the result (or the part payload). */
export type Finding = FieldError

export interface PlannedItem<Input> {
  readonly input: Input
  /** Defaults to the order's type. */
  readonly type?: string
  readonly maxAttempts?: number
  /** Seconds; defaults to the type's, then the server's. */
  readonly leaseTtlSeconds?: number
}

export interface Submission<Input, Result, Materials> {
  readonly input: Input
  readonly result: Result
  readonly evidence: readonly Evidence[]
  readonly notes: string | null
  /** What `gather` returned; undefined when the type has none. */
  readonly materials: Materials
}

export interface Check<S> {
  readonly name: string
  /** Pure: no I/O, no clock, no random. Returns what is wrong; an empty list passes. */
  check(submission: S): readonly Finding[]
}

export interface PartSubmission<Input> {
  readonly input: Input
  readonly partKey: string
  readonly seq: number | null
  readonly payload: unknown
  readonly evidence: readonly Evidence[]
}

export interface AssembledPart {
  readonly partKey: string
  readonly seq: number | null
  readonly payload: unknown
}

export interface PartsDefinition<Input, Result> {
  /** Schema by part key; `'*'` serves every key not named. */
  readonly schemas: Readonly<Record<string, AnySchema>>
  /** The keys that strict finalize asks for. */
  required(input: Input): readonly string[]
  readonly verify?: readonly Check<PartSubmission<Input>>[]
  /** Default: part_key → payload of its highest seq. Parts arrive ordered by key, then seq. Its result then passes `result` and `verify`. */
  assemble?(parts: readonly AssembledPart[], input: Input): Result
}

export interface ItemForDecision<Input, Result> {
  readonly id: string
  readonly ordinal: number
  readonly state: 'submitted' | 'dead_lettered'
  readonly input: Input
  readonly result: Result
  readonly evidence: readonly Evidence[]
}

export interface OrderForDecision<Payload> {
  readonly id: string
  readonly tenantId: string
  readonly type: string
  readonly priority: number
  readonly payload: Payload
  readonly meta: Readonly<Record<string, unknown>> | null
  readonly revision: number
}

/** A small document table of the tenant, for types that bring no tables of their own. Part of the applying transaction. */
export interface Records {
  /** Also keeps the record for this transaction: another apply that asks for it waits, so read-and-write loses nothing. */
  get(collection: string, key: string): Promise<unknown>
  list(collection: string): Promise<ReadonlyArray<{ key: string; value: unknown }>>
  put(collection: string, key: string, value: unknown): Promise<void>
  delete(collection: string, key: string): Promise<boolean>
}

export interface ApplyContext<Payload, Input, Result> {
  readonly order: OrderForDecision<Payload>
  readonly items: readonly ItemForDecision<Input, Result>[]
  /** The transaction that also writes `applied`: what is changed here happens exactly once. Tenant and row security are set. */
  readonly tx: Queryable
  readonly records: Records
  /** Stable for this order and revision: the same on every attempt. */
  readonly key: string
  /** Declares an outside effect. It runs after the commit, at least once, always with the same key; its receipt is kept. */
  effect(name: string, input: unknown): void
  diff(before: Record<string, unknown>, after: Record<string, unknown>, summary?: string): Diff
}

export interface EffectContext {
  readonly key: string
  readonly orderId: string
  readonly signal: AbortSignal
  /** The effect's place in the trace of its order: send it as `traceparent`, so that what it sets off belongs to it. Null without a trace. */
  readonly traceparent: string | null
  /**
   * Headers for a route behind the direct-mutation guard (`createOrderContextGuard`): signed, for one request within a minute.
   * Throws when the server has no `guard.secret`.
   */
  contextHeaders(): Record<string, string>
}

export interface EffectDefinition {
  /** True when the target ignores a second call with the same key; then an unknown outcome is retried, otherwise shown to people. */
  readonly deduplicates: boolean
  run(input: unknown, context: EffectContext): Promise<unknown>
}

export interface RetryPolicy {
  readonly maxAttempts: number
  readonly baseSeconds: number
  readonly maxSeconds: number
  /** The longest `retry_after` that an agent may ask for; the server's retry.max_retry_after_seconds otherwise. */
  readonly maxRetryAfterSeconds: number
  /** One agent that says `permanent` or `policy` is believed only when a second one, or a person, says so too. Default: one is enough. */
  readonly confirmPermanent: boolean
}

export interface OrderTypeDefinition<Payload = unknown, Input = unknown, Result = unknown, Materials = unknown> {
  /** Dotted name, at most 120 characters, such as `user.data.sync`. */
  readonly type: string
  readonly version?: number
  readonly title?: string
  readonly description?: string
  readonly payload: AnySchema
  readonly input?: AnySchema
  readonly result: AnySchema
  readonly parts?: PartsDefinition<Input, Result>
  /** Default: one item whose input is the payload. */
  plan?(order: {
    readonly payload: Payload
    readonly meta: Readonly<Record<string, unknown>> | null
  }): readonly PlannedItem<Input>[] | Promise<readonly PlannedItem<Input>[]>
  /** Reads what the checks need (files, rows) before they run; limited by `gatherTimeoutMs` (default 5000). */
  gather?(submission: {
    readonly input: Input
    readonly result: Result
    readonly evidence: readonly Evidence[]
    readonly signal: AbortSignal
  }): Promise<Materials>
  readonly gatherTimeoutMs?: number
  readonly verify?: readonly Check<Submission<Input, Result, Materials>>[]
  /** Across items, before an approval is accepted. Empty list: ready. */
  canApprove?(order: OrderForDecision<Payload>, items: readonly ItemForDecision<Input, Result>[]): readonly Finding[]
  beforeApply?(context: ApplyContext<Payload, Input, Result>): Promise<void> | void
  apply(context: ApplyContext<Payload, Input, Result>): Promise<Diff> | Diff
  /** Runs after the commit with its own retries; its failure never undoes what was applied. */
  afterApply?(outcome: {
    readonly order: OrderForDecision<Payload>
    readonly diff: Diff
    readonly key: string
    readonly signal: AbortSignal
    readonly traceparent: string | null
  }): Promise<void> | void
  readonly effects?: Readonly<Record<string, EffectDefinition>>
  /** Approve without a person when `canApprove` passes. Only for checks that no agent-written field can satisfy alone. */
  readonly autoApprove?: boolean
  readonly duties?: { readonly selfApproval: 'refuse' | 'allow' }
  readonly retry?: Partial<RetryPolicy>
  readonly leaseTtlSeconds?: number
  /** How old a lease grows by heartbeats alone; an accepted part begins it anew. The server's lease.max_age_seconds otherwise. */
  readonly maxLeaseSeconds?: number
  /** How long an agent that let an item go twice is offered it later than the others; the server's lease.cooldown_seconds otherwise. */
  readonly cooldownSeconds?: number
  /** Leases on items of this type that may be in force at a time, within one tenant; the server's lease.max_per_type otherwise. */
  readonly maxLeases?: number
  /** Proposals and checkouts of this type per minute in one tenant; the server's rate_limits.type_per_minute otherwise. */
  readonly rateLimit?: { readonly perMinute: number }
  readonly requireLeaseToken?: boolean
  /** Record every heartbeat as an event; by default only the first leaves one. */
  readonly recordHeartbeats?: boolean
  /** Names of members of payload, input or result that no log line may show, however deep they stand. */
  readonly secretFields?: readonly string[]
  /** What a dead-lettered item means for its order: fail it (default), or go on without the item. */
  readonly onItemFailure?: 'fail_order' | 'proceed'
}

/** Finds work by itself on a schedule (the predecessor's allocators). The same `key` is proposed once per tenant, for ever. */
export interface GeneratorDefinition {
  readonly name: string
  /** Cron expression (croner), UTC. */
  readonly schedule: string
  /** Tenant slugs; default: every tenant. */
  readonly tenants?: readonly string[]
  generate(context: {
    readonly tenant: string
    readonly now: Date
    readonly signal: AbortSignal
  }): Promise<readonly ProposedOrder[]> | readonly ProposedOrder[]
}
export interface ProposedOrder {
  readonly type: string
  readonly payload: unknown
  readonly meta?: Record<string, unknown>
  readonly priority?: number
  /** Stable name of this piece of work; a second proposal with it is skipped. */
  readonly key?: string
}
