/**
 * Runs any operation for any door, in one order of judgement: rate limits → room in memory → ability → shape of the input → idempotency key → the handler
 * (operation-call.ts).
 */
import { hash } from 'node:crypto'
import { errorCatalogue, holdsAbility, WorkError } from '@work-manager/contract'
import { LRUCache } from 'lru-cache'
import { breathe, largeBytes } from '../breathe.ts'
import { insertProvenance } from '../store/provenance.ts'
import { attributesOf, genAiAgent, genAiTool } from '../../tracing/attributes.ts'
import { OperationTrace } from '../../tracing/operation-trace.ts'
import { checkedKey } from './idempotency-key.ts'
import { pageBytes } from '../store/page-budget.ts'
import { AnswerMemory } from './answer-memory.ts'
import { readInput } from './input.ts'
import { createKeptAnswers } from './kept-answers.ts'
import type { IdempotencyKey, Operation } from './operation.ts'
import { type OperationAnswer, OperationCall, type OperationRequest } from './operation-call.ts'
import type { KernelTools } from '../tools.ts'

export type { OperationAnswer, OperationRequest }

const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer')

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
  return {
    keyHash: sha256(checkedKey(key, headerName)),
    fingerprint: sha256(`${request.fingerprintSource}\n${fingerprinted(request.input)}`),
  }
}

/** The command by which whoever manages keys gives this principal what it lacks; the abilities that it has stay with it. */
function mendingKey({ kind, id, abilities }: OperationRequest['principal'], lacking: string): string {
  const who = /^[\w.:@-]+$/.test(id) ? id : '<id>'
  const all = [...abilities, lacking].map((ability) => ` --ability ${ability}`).join('')
  return `Use a key that holds it. Whoever manages keys makes one: \`npx work-manager keys create --kind ${kind} --principal ${who}${all}\`.`
}

/** Refuses with: scope_missing, agents_cannot_decide. */
function assertMay(operation: Operation, principal: OperationRequest['principal']): void {
  if (!holdsAbility(principal.abilities, operation.ability))
    throw new WorkError('scope_missing', {
      detail: `The key does not hold '${operation.ability}'; it holds: ${principal.abilities.join(', ') || 'nothing'}.`,
      fix: mendingKey(principal, operation.ability),
      extra: { ability: operation.ability },
    })
  if (operation.peopleOnly && principal.kind !== 'person' && principal.kind !== 'system')
    throw new WorkError('agents_cannot_decide', {
      detail: `The key belongs to ${principal.kind === 'agent' ? 'an agent' : 'a service'}; only a person can do this.`,
    })
}

export interface OperationRunner {
  (operation: Operation, request: OperationRequest): Promise<OperationAnswer>
}

/** MCP answers as text and as structured content, in a message that holds both. */
const copiesAt = (request: OperationRequest): number => (request.door === 'mcp' ? 3 : 1)

/** What an operation will take up before its answer is known: a page for what reads, several times the body for what is parsed and kept. */
function expectedBytes(operation: Operation, request: OperationRequest): number {
  if (operation.http.method === 'GET') return operation.waits === true ? 0 : pageBytes * copiesAt(request)
  return 4 * (request.bodyBytes ?? 0)
}

export function createOperationRunner(
  tools: KernelTools,
  options: { readonly idempotencyHeader: string; readonly memory?: AnswerMemory },
): OperationRunner {
  const memory = options.memory ?? new AnswerMemory()
  /** Combinations whose row this process has seen committed; the row is written once, not per call. */
  const knownProvenance = new LRUCache<string, true>({ max: 20_000 })
  const ttlSeconds = tools.settings.idempotencyTtlSeconds
  const findKept = createKeptAnswers(tools.db)

  async function rememberProvenance({ principal, provenance }: OperationRequest, known: string): Promise<void> {
    await tools.db.transaction(principal.tenantId, (tx) =>
      insertProvenance(tx, { ...provenance, principal: principal.name, keyId: principal.keyId }),
    )
    knownProvenance.set(known, true)
  }

  // One function, and a promise only where there is something to wait for: a clean heartbeat spends more on promises than on its checks.
  const run = async (operation: Operation, request: OperationRequest, trace: OperationTrace | null): Promise<OperationAnswer> => {
    const { principal } = request
    // First of all, so that calls which are refused for another reason count too.
    const admitted = tools.rateLimits.admit(principal, operation.rate, request)
    const counted = admitted instanceof Promise ? await admitted : admitted
    request.noteLimits?.(counted)
    const mustGoOn = operation.rate === 'shed_last' || principal.kind === 'system'
    const entering = memory.enter(`${principal.tenantId} ${principal.name}`, expectedBytes(operation, request), mustGoOn)
    const seat = entering instanceof Promise ? await entering : entering
    try {
      const isLarge = (request.bodyBytes ?? 0) >= largeBytes
      if (isLarge && request.prepare) await request.prepare()
      const given = request.input
      assertMay(operation, principal)
      if (isLarge) await breathe()
      const read = readInput(operation, given)
      const input = read instanceof Promise ? await read : read
      if (isLarge) await breathe()
      const key = readKey(operation, request, options.idempotencyHeader)
      if (isLarge) await breathe()
      if (operation.http.method !== 'GET' && operation.writesNothing?.(input) !== true) {
        const known = `${principal.tenantId} ${request.provenance.id}`
        if (!knownProvenance.has(known)) await rememberProvenance(request, known)
      }
      const answer = await new OperationCall({ tools, operation, request, trace, key, ttlSeconds, findKept }).run(input)
      seat.hold(answer.bytes.length * copiesAt(request))
      if (request.untilSent) request.untilSent(() => seat.leave())
      else seat.leave()
      return answer
    } catch (error) {
      seat.leave()
      throw error
    }
  }

  const { tracing } = tools
  if (!tracing.isOn) return (operation, request) => run(operation, request, null)
  return async (operation, request) => {
    const trace = traceOf(tracing, operation, request)
    try {
      const answer = await run(operation, request, trace)
      trace.describe({ outcome: 'done', status: answer.status, ...(answer.replayed ? { replayed: true } : {}) })
      trace.end()
      return answer
    } catch (error) {
      const code = error instanceof WorkError ? error.code : 'internal'
      // Idle agents poll: an empty checkout is worth a span only where the caller keeps a trace.
      if (code === 'no_items_available' && trace.settledTraceparent === null) throw error
      const { status } = errorCatalogue[code]
      trace.describe({ outcome: 'refused', status })
      trace.end({ code, failed: status >= 500 })
      throw error
    }
  }
}

function traceOf(tracing: KernelTools['tracing'], operation: Operation, request: OperationRequest): OperationTrace {
  const { principal, provenance, requestId, door, tool } = request
  return new OperationTrace(tracing, operation.name, {
    sent: request.traceparent,
    tracestate: request.tracestate,
    attributes: {
      ...attributesOf({ door, operation: operation.name, requestId }),
      ...(principal.kind === 'agent' ? genAiAgent(provenance) : {}),
      ...(tool ? genAiTool(tool) : {}),
    },
  })
}
