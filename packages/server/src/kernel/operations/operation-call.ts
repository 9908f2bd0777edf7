/**
 * One call of an operation, and the context that its handler sees. Idempotency of ordinary operations lives here: the key is reserved
 * first, the answer's bytes are kept in the transaction of the effect. A class, because every checkout and heartbeat makes one: closures
 * for what most calls never do were 7 % of the server's garbage.
 */
import { randomUUID } from 'node:crypto'
import { errorCatalogue, WorkError } from '@work-manager/contract'
import type { Principal, Provenance } from '../principal.ts'
import type { Admission } from '../../rate-limits/admission.ts'
import { breathe, largeBytes } from '../breathe.ts'
import { keyEndRefusal } from '../key-end.ts'
import { topics } from '../signals/work-signal.ts'
import { completeAnswer, findAnswer, type KeptAnswer, keepAnswer, type KeyScope, reserveKey } from '../store/idempotency.ts'
import type { FindKept } from './kept-answers.ts'
import { findNewestIntake } from '../store/event-count.ts'
import type { Instant, Queryable, Tx } from '../store/tx.ts'
import type { ToolCall } from '../../tracing/attributes.ts'
import type { OperationTrace } from '../../tracing/operation-trace.ts'
import { type HeldKey, type IdempotencyKey, type Operation, type OperationContext, Refused, type Reply } from './operation.ts'
import type { KernelTools } from '../tools.ts'

export interface OperationRequest {
  readonly principal: Principal
  readonly provenance: Provenance
  readonly requestId: string
  readonly correlationId?: string | undefined
  readonly sessionKey?: string | null
  readonly input: Record<string, unknown>
  readonly idempotencyKey: string | undefined
  readonly signal: AbortSignal
  /** Method and canonical path with ids: what, with the input, makes a request the same request. */
  readonly fingerprintSource: string
  /** The caller's place in its trace (W3C traceparent, checked by `readTraceparent`). */
  readonly traceparent: string | null
  readonly tracestate?: string | undefined
  readonly door?: 'http' | 'mcp'
  /** The tool call that the operation answers. */
  readonly tool?: ToolCall | undefined
  /** How much the request brought. */
  readonly bodyBytes?: number
  /** The address that the caller reached us at (http://host:port), for links in answers; null when it named none. */
  readonly origin?: string | null
  /** Reads a large input, in turns with others, before it is asked for. */
  prepare?(): Promise<void>
  /** Calls back when the answer has left, or nobody is there any more to read it. Absent: it is gone at once. */
  untilSent?(gone: () => void): void
  /** Told which limits the call was counted against, for doors that say it. */
  noteLimits?(counted: Admission): void
}
export interface OperationAnswer {
  readonly status: number
  readonly bytes: string
  readonly replayed: boolean
  readonly idempotencyExpires?: string
  /** Undoes what nobody heard of, for a door that finds out after the answer. */
  readonly takeBack?: () => Promise<void>
}

type Input = Record<string, unknown>

const askKeyEveryMs = 1_000

/** A committed answer, or the signal that it has still to be made. */
class Replay extends Error {
  readonly answer: KeptAnswer
  constructor(answer: KeptAnswer) {
    super('replay')
    this.answer = answer
  }
}

const bytesOf = (reply: Reply): string => ('json' in reply ? reply.json : JSON.stringify(reply.body))

function assertSameRequest(kept: KeptAnswer, key: IdempotencyKey): void {
  if (!kept.fingerprint.equals(key.fingerprint)) throw new WorkError('idempotency_mismatch')
}

export interface OperationCallParts {
  readonly tools: KernelTools
  readonly operation: Operation
  readonly request: OperationRequest
  readonly trace: OperationTrace | null
  readonly key: IdempotencyKey | null
  /** How long an answer is kept. */
  readonly ttlSeconds: number
  readonly findKept: FindKept
}

export class OperationCall implements OperationContext {
  readonly tools: KernelTools
  traceparent: string | null
  readonly trace: OperationTrace | null
  readonly idempotency: IdempotencyKey | null
  private readonly operation: Operation
  private readonly request: OperationRequest
  private readonly ttlSeconds: number
  private readonly findKept: FindKept
  private correlation: string | undefined
  private answerLater = false
  /** The key was good when the call began. */
  private keyAskedAt = performance.now()
  private committed = false
  /** As the database that keeps it says. */
  private keptUntil: Instant | undefined

  constructor(parts: OperationCallParts) {
    this.tools = parts.tools
    this.traceparent = parts.request.traceparent
    this.trace = parts.trace
    this.idempotency = parts.key
    this.operation = parts.operation
    this.request = parts.request
    this.ttlSeconds = parts.ttlSeconds
    this.findKept = parts.findKept
  }

  get principal(): Principal {
    return this.request.principal
  }
  get provenance(): Provenance {
    return this.request.provenance
  }
  absolute(link: string): string {
    const { origin } = this.request
    return origin && !URL.canParse(link) ? new URL(link, origin).href : link
  }
  get requestId(): string {
    return this.request.requestId
  }
  get correlationId(): string {
    return (this.correlation ??= this.request.correlationId ?? randomUUID())
  }
  get sessionKey(): string | null {
    return this.request.sessionKey ?? null
  }
  get bodyBytes(): number | undefined {
    return this.request.bodyBytes
  }
  get signal(): AbortSignal {
    return this.request.signal
  }

  /** The answer: of the handler, or of an earlier call with the same key. */
  async run(input: Input): Promise<OperationAnswer> {
    const { idempotency: key, operation } = this
    // Before any work: a repeated request must not plan, verify or wait again.
    if (key && !operation.keepsOwnKeys) {
      const kept = await this.keptAnswer(key)
      if (kept) {
        assertSameRequest(kept, key)
        return this.replay(kept, input)
      }
    }
    try {
      const reply = await operation.handler(this, input)
      const answer = this.answerLater ? await this.completed(reply) : this.finished(reply)
      return operation.ifUnheard ? await this.heard(answer, reply) : answer
    } catch (error) {
      if (error instanceof Replay) return this.replay(error.answer, input)
      // What a handler looks at before it reserves the key may be the work of its own twin, committed since we looked for an answer.
      const mayBeOfTwin = !this.committed && error instanceof WorkError && errorCatalogue[error.code].retry !== 'later'
      if (key && !operation.keepsOwnKeys && mayBeOfTwin) {
        const ofTwin = await this.keptAnswer(key)
        if (ofTwin?.fingerprint.equals(key.fingerprint)) return this.replay(ofTwin, input)
      }
      throw error
    }
  }

  /** An answer that finds nobody is undone at once; for one that gets lost on its way the door is told how. */
  private async heard(answer: OperationAnswer, reply: Reply): Promise<OperationAnswer> {
    const { operation } = this
    if (this.signal.aborted) throw await operation.ifUnheard!(this, reply)
    return { ...answer, takeBack: async () => void (await operation.ifUnheard!(this, reply)) }
  }

  breathe(): Promise<void> {
    return (this.request.bodyBytes ?? 0) < largeBytes ? Promise.resolve() : breathe()
  }

  async wait(topic: string, ms: number): Promise<void> {
    await this.tools.signal.wait(topic, ms, this.signal)
    const { keyId, tenantId } = this.principal
    const now = performance.now()
    if (keyId === null || now - this.keyAskedAt < askKeyEveryMs) return
    this.keyAskedAt = now
    const end = await this.tools.keyEnd(tenantId, keyId)
    if (end !== null) throw keyEndRefusal(end)
  }

  read<T>(work: (q: Queryable) => Promise<T>): Promise<T> {
    return this.tools.db.read(this.principal.tenantId, work)
  }

  async readRecord<T>(work: (q: Queryable, behind: boolean) => Promise<T>, options: { orBehind?: boolean } = {}): Promise<T> {
    const first = await this.read(async (q) => {
      const newest = await findNewestIntake(q)
      return newest === null ? { value: await work(q, false) } : { newest }
    })
    if ('value' in first) return first.value as T
    // Outside the transaction: a reader that waits holds no connection.
    const behind = await this.tools.record.catchUp(this.principal.tenantId, first.newest).then(
      () => false,
      (error: unknown) => {
        if (options.orBehind && error instanceof WorkError && error.code === 'record_behind') return true
        throw error
      },
    )
    return this.read((q) => work(q, behind))
  }

  async write(work: (tx: Tx) => Promise<Reply | Refused>, options?: { answerLater?: boolean }): Promise<Reply> {
    const { idempotency: key, ttlSeconds } = this
    const answerLater = options?.answerLater ?? false
    this.answerLater = answerLater
    const outcome = await this.tools.db.transaction(this.principal.tenantId, async (tx) => {
      if (key) {
        if (!(await reserveKey(tx, this.scopeOf(key)))) throw new WorkError('idempotency_in_progress', { retryAfterSeconds: 1 })
        const kept = await findAnswer(tx, this.scopeOf(key))
        if (kept) {
          assertSameRequest(kept, key)
          throw new Replay(kept)
        }
      }
      const done = await work(tx)
      if (key && !(done instanceof Refused))
        this.keptUntil = await keepAnswer(tx, this.scopeOf(key), {
          fingerprint: key.fingerprint,
          ttlSeconds,
          status: answerLater ? null : done.status,
          body: answerLater ? null : bytesOf(done),
        })
      return done
    })
    this.committed = true
    this.tools.signal.wake(topics.events)
    if (outcome instanceof Refused) throw outcome.error
    return outcome
  }

  heldKey(): HeldKey {
    const { idempotency: key, ttlSeconds } = this
    if (!key) throw new TypeError(`${this.operation.name} was called without a key`)
    return { ...this.scopeOf(key), fingerprint: key.fingerprint, ttlSeconds }
  }

  async writeAtOnce(work: (key: HeldKey) => Promise<boolean>): Promise<boolean> {
    if (!(await work(this.heldKey()))) return false
    this.answerLater = true
    this.committed = true
    this.tools.signal.wake(topics.events)
    return true
  }

  private scopeOf(key: IdempotencyKey): KeyScope {
    return { principal: this.principal.name, operation: this.operation.name, keyHash: key.keyHash }
  }

  private keptAnswer(key: IdempotencyKey): Promise<KeptAnswer | undefined> {
    return this.findKept({ tenantId: this.principal.tenantId, scope: this.scopeOf(key) })
  }

  private finished(reply: Reply): OperationAnswer {
    const bytes = bytesOf(reply)
    const replayed = 'replayed' in reply && reply.replayed === true
    const keptUntil = this.idempotency && (this.keptUntil ?? ('keptUntil' in reply ? reply.keptUntil : undefined))
    return keptUntil ? { status: reply.status, bytes, replayed, idempotencyExpires: keptUntil } : { status: reply.status, bytes, replayed }
  }

  /** The same where the key was reserved and its answer is still to be kept. */
  private async completed(reply: Reply): Promise<OperationAnswer> {
    const { idempotency: key, ttlSeconds } = this
    // What is not finished is no answer to keep: whoever repeats the request later hears how it ended.
    if (!key || reply.status === 202 || ('isKept' in reply && reply.isKept === true)) return this.finished(reply)
    const kept = await this.tools.db.transaction(this.principal.tenantId, (tx) =>
      completeAnswer(tx, this.scopeOf(key), { status: reply.status, body: bytesOf(reply), ttlSeconds }),
    )
    // Somebody who waited for the same decision was answered first, perhaps with less: one key has one answer.
    if (kept && kept.status !== null && kept.body !== null)
      return { status: kept.status, bytes: kept.body, replayed: false, idempotencyExpires: kept.expires_at }
    return this.finished(reply)
  }

  private async replay(kept: KeptAnswer, input: Input): Promise<OperationAnswer> {
    if (kept.status !== null && kept.body !== null)
      return { status: kept.status, bytes: kept.body, replayed: true, idempotencyExpires: kept.expires_at }
    // The effect is committed, its answer was never kept (the process ended in between): make it again from the record.
    if (!this.operation.resume) throw new WorkError('idempotency_in_progress', { retryAfterSeconds: 1 })
    this.answerLater = true
    return this.completed(await this.operation.resume(this, input))
  }
}
