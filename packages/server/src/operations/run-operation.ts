/**
 * Runs any operation for any door, in one order of judgement: ability → shape of the input → idempotency key → the handler.
 * Idempotency of ordinary operations lives here: the key is reserved first, the answer's bytes are kept in the transaction of the effect.
 */
import { createHash } from 'node:crypto'
import { errorCatalogue, holdsAbility, WorkError } from '@work-manager/contract'
import { LRUCache } from 'lru-cache'
import type { Principal, Provenance } from '../auth/principal.ts'
import { completeAnswer, findAnswer, type KeptAnswer, keepAnswer, type KeyScope, reserveKey } from '../store/idempotency.ts'
import { insertProvenance } from '../store/provenance.ts'
import { topics } from '../signals/work-signal.ts'
import { readInput } from './input.ts'
import { type IdempotencyKey, type Operation, type OperationContext, Refused, type Reply } from './operation.ts'
import type { Services } from './services.ts'

export interface OperationRequest {
  readonly principal: Principal
  readonly provenance: Provenance
  readonly requestId: string
  readonly input: Record<string, unknown>
  readonly idempotencyKey: string | undefined
  readonly signal: AbortSignal
  /** Method and canonical path with ids: what, with the input, makes a request the same request. */
  readonly fingerprintSource: string
  /** Trace id of the caller (W3C traceparent), kept with every fact of the call. */
  readonly traceId: string | null
}
export interface OperationAnswer {
  readonly status: number
  readonly bytes: string
  readonly replayed: boolean
  readonly idempotencyExpires?: string
}

const bytesOf = (reply: Reply): string => ('json' in reply ? reply.json : JSON.stringify(reply.body))
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Members sorted by name: doors put an input together in different orders, and it is the same request all the same. */
const fingerprinted = (input: Record<string, unknown>): string =>
  JSON.stringify(
    Object.keys(input)
      .toSorted()
      .map((name) => [name, input[name]]),
  )

function readKey(operation: Operation, request: OperationRequest, headerName: string): IdempotencyKey | null {
  const key = request.idempotencyKey
  if (operation.idempotency === 'none') return null
  if (key === undefined || key === '') {
    if (operation.idempotency === 'accepted') return null
    throw new WorkError('idempotency_key_required', { extra: { header: headerName } })
  }
  if (!/^[\x21-\x7e][\x20-\x7e]{0,254}$/.test(key))
    throw new WorkError('idempotency_key_malformed', {
      detail: `The key has ${key.length} characters or holds something else than printable ASCII.`,
    })
  return { keyHash: sha256(key), fingerprint: sha256(`${request.fingerprintSource}\n${fingerprinted(request.input)}`) }
}

/** A committed answer, or the signal that it has still to be made. */
class Replay extends Error {
  readonly answer: KeptAnswer
  constructor(answer: KeptAnswer) {
    super('replay')
    this.answer = answer
  }
}

function assertSameRequest(kept: KeptAnswer, key: IdempotencyKey): void {
  if (!kept.fingerprint.equals(key.fingerprint)) throw new WorkError('idempotency_mismatch')
}

export interface OperationRunner {
  (operation: Operation, request: OperationRequest): Promise<OperationAnswer>
}

export function createOperationRunner(services: Services, options: { readonly idempotencyHeader: string }): OperationRunner {
  /** Combinations whose row this process has seen committed; the row is written once, not per call. */
  const knownProvenance = new LRUCache<string, true>({ max: 20_000 })
  const ttlSeconds = services.settings.idempotencyTtlSeconds

  async function rememberProvenance({ principal, provenance }: OperationRequest): Promise<void> {
    const key = `${principal.tenantId} ${provenance.id}`
    if (knownProvenance.has(key)) return
    await services.db.transaction(principal.tenantId, (tx) =>
      insertProvenance(tx, { ...provenance, principal: principal.name, keyId: principal.keyId }),
    )
    knownProvenance.set(key, true)
  }

  return async (operation, request) => {
    const { principal } = request
    if (!holdsAbility(principal.abilities, operation.ability))
      throw new WorkError('scope_missing', {
        detail: `The key does not hold '${operation.ability}'; it holds: ${principal.abilities.join(', ') || 'nothing'}.`,
        extra: { ability: operation.ability },
      })
    if (operation.peopleOnly && principal.kind !== 'person' && principal.kind !== 'system')
      throw new WorkError('agents_cannot_decide', {
        detail: `The key belongs to ${principal.kind === 'agent' ? 'an agent' : 'a service'}; only a person can do this.`,
      })
    const input = await readInput(operation, request.input)
    const key = readKey(operation, request, options.idempotencyHeader)
    if (operation.http.method !== 'GET') await rememberProvenance(request)
    const scope: KeyScope | null = key && { principal: principal.name, operation: operation.name, keyHash: key.keyHash }
    let answerLater = false
    let committed = false

    const context: OperationContext = {
      principal,
      provenance: request.provenance,
      requestId: request.requestId,
      traceId: request.traceId,
      services,
      idempotency: key,
      get signal() {
        return request.signal
      },
      read: (work) => services.db.read(principal.tenantId, work),
      async write(work, writeOptions) {
        answerLater = writeOptions?.answerLater ?? false
        const outcome = await services.db.transaction(principal.tenantId, async (tx) => {
          if (scope && key) {
            if (!(await reserveKey(tx, scope))) throw new WorkError('idempotency_in_progress', { retryAfterSeconds: 1 })
            const kept = await findAnswer(tx, scope)
            if (kept) {
              assertSameRequest(kept, key)
              throw new Replay(kept)
            }
          }
          const done = await work(tx)
          if (scope && key && !(done instanceof Refused))
            await keepAnswer(tx, scope, {
              fingerprint: key.fingerprint,
              ttlSeconds,
              status: answerLater ? null : done.status,
              body: answerLater ? null : bytesOf(done),
            })
          return done
        })
        committed = true
        services.signal.wake(topics.facts)
        if (outcome instanceof Refused) throw outcome.error
        return outcome
      },
    }

    const finish = async (reply: Reply): Promise<OperationAnswer> => {
      const bytes = bytesOf(reply)
      if (answerLater && scope) {
        const kept = await services.db.transaction(principal.tenantId, (tx) =>
          completeAnswer(tx, scope, { status: reply.status, body: bytes, ttlSeconds }),
        )
        // Somebody who waited for the same decision was answered first, perhaps with less: one key has one answer.
        if (kept && kept.status !== null && kept.body !== null)
          return { status: kept.status, bytes: kept.body, replayed: false, idempotencyExpires: kept.expires_at }
      }
      const replayed = 'replayed' in reply && reply.replayed === true
      return {
        status: reply.status,
        bytes,
        replayed,
        ...(key ? { idempotencyExpires: new Date(Date.now() + ttlSeconds * 1000).toISOString() } : {}),
      }
    }

    const replay = async (kept: KeptAnswer): Promise<OperationAnswer> => {
      if (kept.status !== null && kept.body !== null)
        return { status: kept.status, bytes: kept.body, replayed: true, idempotencyExpires: kept.expires_at }
      // The effect is committed, its answer was never kept (the process ended in between): make it again from the record.
      if (!operation.resume) throw new WorkError('idempotency_in_progress', { retryAfterSeconds: 1 })
      answerLater = true
      return finish(await operation.resume(context, input))
    }

    const keptAnswer = async (): Promise<KeptAnswer | undefined> =>
      scope && !operation.keepsOwnKeys ? services.db.read(principal.tenantId, (q) => findAnswer(q, scope)) : undefined

    // Before any work: a repeated request must not plan, verify or wait again.
    const kept = await keptAnswer()
    if (kept && key) {
      assertSameRequest(kept, key)
      return replay(kept)
    }
    try {
      return await finish(await operation.handler(context, input))
    } catch (error) {
      if (error instanceof Replay) return replay(error.answer)
      // What a handler looks at before it reserves the key may be the work of its own twin, committed since we looked for an answer.
      if (key && !committed && error instanceof WorkError && errorCatalogue[error.code].retry !== 'later') {
        const ofTwin = await keptAnswer()
        if (ofTwin?.fingerprint.equals(key.fingerprint)) return replay(ofTwin)
      }
      throw error
    }
  }
}
