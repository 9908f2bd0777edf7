/**
 * What an operation is: one verb, defined once; every door (HTTP, CLI, MCP, SDK) and every reference is derived from
 * the list in systems.ts. It carries all that they need: no door has a table of its own.
 * Input is one flat object: path parameters by name, query parameters (GET) or body members, checked before the handler runs.
 */
import type { Ability, ErrorCode } from '@work-manager/contract'
import type { Static, TObject, TSchema } from 'typebox'
import type { Principal, Provenance } from '../principal.ts'
import type { RateRule } from '../../rate-limits/rate-limits.ts'
import type { KeyScope } from '../store/idempotency.ts'
import type { Instant, Queryable, Tx } from '../store/tx.ts'
import type { OperationTrace } from '../../tracing/operation-trace.ts'
import type { KernelTools } from '../tools.ts'

/**
 * required: refused without a key. accepted: honoured when sent. none: the operation is safe to repeat as it is.
 */
export type IdempotencyRule = 'required' | 'accepted' | 'none'

/** An answer. `body` is a value to serialise, or `json`: exact bytes already rendered (from the database). */
export type Reply =
  | { readonly status: number; readonly body: unknown }
  | {
      readonly status: number
      readonly json: string
      readonly replayed?: boolean
      /** The key's answer was kept with the change itself. */
      readonly isKept?: boolean
      /** Until when, as the database says. */
      readonly keptUntil?: Instant
    }

/** Returned by `write` work to commit the events it recorded and then refuse (a failed verification is worth remembering). */
export class Refused {
  readonly error: Error
  constructor(error: Error) {
    this.error = error
  }
}
export const refused = (error: Error): Refused => new Refused(error)

export interface IdempotencyKey {
  readonly keyHash: Buffer
  readonly fingerprint: Buffer
}

/** A key with whose it is, and how long its answer is kept. */
export interface HeldKey extends IdempotencyKey, KeyScope {
  readonly ttlSeconds: number
}

/** `T`: what the system of the operation may use. */
export interface OperationContext<T extends KernelTools = KernelTools> {
  readonly principal: Principal
  readonly provenance: Provenance
  readonly requestId: string
  /** X-Correlation-ID: the story that what the call begins will belong to; made up when the caller sent none. */
  readonly correlationId: string
  /** X-Session-Key: the caller's session, if it named one. */
  readonly sessionKey: string | null
  /** The trace that the caller sent; without an exporter also the one that the call continues. Read it with `traceparentOf`. */
  traceparent: string | null
  /** The call's span; null where no exporter is configured. */
  readonly trace: OperationTrace | null
  readonly tools: T
  /** A link of ours as a whole address, as the caller reached us; as it is where the caller named no address. */
  absolute(link: string): string
  /** Present when the caller sent a key. Only operations that reserve it inside their own statement read it. */
  readonly idempotency: IdempotencyKey | null
  /** How much the request brought, where its door says so. */
  readonly bodyBytes: number | undefined
  /** Aborted when the caller went away (long polls stop). */
  readonly signal: AbortSignal
  /**
   * Waits for a wake-up on the topic, or `ms`, or until the caller goes away. The only way to wait: a caller whose key ended meanwhile
   * hears nothing more. Refuses with: key_revoked, key_expired.
   */
  wait(topic: string, ms: number): Promise<void>
  /** Lets everybody else have a turn, when this request brought much; between two pieces of work on what it brought. */
  breathe(): Promise<void>
  /** Read in one short read-only transaction of the caller's tenant. */
  read<T>(work: (q: Queryable) => Promise<T>): Promise<T>
  /**
   * The same for whoever reads events: what was committed when this was called has its number before `work` runs, so callers find their own
   * last change on the record. Refuses with: record_behind, unless `orBehind`: then `work` hears that its newest events may be missing.
   */
  readRecord<T>(work: (q: Queryable, behind: boolean) => Promise<T>, options?: { orBehind?: boolean }): Promise<T>
  /**
   * The one writing transaction of an ordinary operation: reserve the idempotency key, do the work, keep the answer's bytes, commit.
   * With `answerLater` the key is reserved and the effect committed, and the bytes are kept when the handler returns.
   */
  write(work: (tx: Tx) => Promise<Reply | Refused>, options?: { answerLater?: boolean }): Promise<Reply>
  /**
   * The same as `write` with `answerLater`, for a function of the database that reserves the key and commits the effect in one round trip
   * (and may keep the answer, see `isKept`). False when it did nothing: then `write` says why.
   */
  writeAtOnce(work: (key: HeldKey) => Promise<boolean>): Promise<boolean>
  /** The key of the call as a function of the database takes it. Throws when the caller sent none. */
  heldKey(): HeldKey
}

export interface CommandName {
  readonly words: string
  /** One more name, without the noun, for what is typed often. */
  readonly short?: string
  /** Written in cli/commands, because it asks, loops or shows more than one operation; the others are derived. */
  readonly byHand?: true
  /** Members that are arguments besides those of the path. */
  readonly arguments?: readonly string[]
  readonly example?: string
}

/**
 * Its tool on MCP. Operations that name the same one share it (one constant): of several, the first one whose ids are given is called,
 * those with more ids first, then by name; the last one otherwise.
 */
export interface McpTool {
  readonly name: string
  readonly title: string
  /** What it does, where it stands for several operations; of one, the operation says it. */
  readonly summary?: string
  /** What an agent should know beside the summary. */
  readonly advice?: string
  /** What it does to the world, as clients show it to people. Hints only: the server judges by itself. */
  readonly effects?: {
    /** Takes something away or ends it. */
    readonly destructive?: true
    /** Reaches beyond this server: applying may change anything. */
    readonly openWorld?: true
  }
  /** What a model usually needs of the answer; the rest comes with `full`. Absent: all of it. */
  readonly shows?: Shown | ((given: Given) => Shown | undefined)
  /** Arguments that are understood and not listed: other ways to say the same. */
  readonly unlisted?: readonly string[]
  /** What the call asks for where the caller says nothing about it. */
  readonly defaults?: (given: Given) => Given
  /** One member of its answer can be read whole, piece by piece (`at`, `offset`). */
  readonly readsPieces?: true
}

/** The members of the input, as the caller gave them. */
type Given = Readonly<Record<string, unknown>>

/**
 * Members to keep: as they are, or some of theirs (of a list, of each entry). `age_seconds` is how long ago `created_at` was. What is null
 * is left out.
 */
export interface Shown {
  readonly [member: string]: true | Shown | undefined
}

export interface Operation<I extends TObject = TObject, O extends TSchema = TSchema, T extends KernelTools = KernelTools> {
  /** snake_case verb and noun, such as `propose_order`; its file has the same name. */
  readonly name: string
  readonly summary: string
  /** Paths are relative to the mount (`/api/work`); `:name` segments are input members. Aliases answer the same. */
  readonly http: { readonly method: 'GET' | 'POST'; readonly path: string; readonly aliases?: readonly string[]; readonly success: number }
  readonly ability: Ability
  /** Only a person's credential may call it. */
  readonly peopleOnly?: boolean
  /** A POST that only says what would happen, always or for such an input: not even who asked is kept. */
  readonly writesNothing?: (input: Readonly<Record<string, unknown>>) => boolean
  readonly idempotency: IdempotencyRule
  /** `by_type`: counts against the limit of its order type too. `shed_last`: keeps or hands in work that is held, and has a reserve. */
  readonly rate?: RateRule
  /** It may wait for somebody else (work, an apply): a long answer time says nothing about the server. */
  readonly waits?: boolean
  /** The handler reserves the key and keeps the answer in its own statement (the hot path). */
  readonly keepsOwnKeys?: boolean
  /** What its handler refuses with, besides what any request can get (refusals.ts). The tests see to it that nothing is missing. */
  readonly refuses: readonly ErrorCode[]
  readonly command: CommandName
  /** Or why it is none. */
  readonly tool: McpTool | string
  readonly input: I
  readonly output: O
  handler(context: OperationContext<T>, input: Static<I>): Promise<Reply>
  /**
   * Takes the effect back, as the same caller, when nobody heard of it: they hung up, cancelled, or gave up while it happened. Returns what
   * they hear instead.
   */
  ifUnheard?(context: OperationContext<T>, reply: Reply): Promise<Error>
  /** For `answerLater`: builds the answer of an earlier request whose effect is committed but whose bytes were not kept. */
  resume?(context: OperationContext<T>, input: Static<I>): Promise<Reply>
}

/** How a system defines its operations: their handlers are given the tools `T` of that system. */
export const operationsWith =
  <T extends KernelTools>() =>
  <I extends TObject, O extends TSchema>(operation: Operation<I, O, T>): Operation<I, O, T> =>
    operation

/** For operations that need nothing but the kernel's tools. */
export const defineOperation = operationsWith<KernelTools>()
