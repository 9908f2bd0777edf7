/**
 * The three lease verbs through windows: all that came in of all tenants goes out as one statement, and what is no clean case is asked
 * with the statement of its verb (checkout-batch.ts, heartbeat-batch.ts, submit-batch.ts).
 */
import { setTimeout } from 'node:timers/promises'
import { createWindows } from '../../kernel/batching/windows.ts'
import type { LeaseHints } from '../lease-hints/lease-hints.ts'
import { ticks } from '../lease-hints/database-clock.ts'
import type { Tracing } from '../../tracing/tracing.ts'
import { asBatch } from './batch-span.ts'
import type {
  Asker,
  CheckoutAnswer,
  CheckoutRequest,
  HeartbeatAnswer,
  HeartbeatRequest,
  LeaseVerb,
  SubmitAnswer,
  SubmitRequest,
} from './requests.ts'
import type { RunQuery } from './slots.ts'
import { askWindow, type WindowRow, type WrittenSubmit } from './work-window.ts'

export interface LeaseVerbs {
  checkout(request: CheckoutRequest): Promise<CheckoutAnswer>
  heartbeat(request: HeartbeatRequest): Promise<HeartbeatAnswer>
  submit(request: SubmitRequest): Promise<SubmitAnswer>
}

type Asked =
  | { readonly verb: 'take'; readonly request: CheckoutRequest }
  | { readonly verb: 'beat'; readonly request: LeaseVerb }
  | { readonly verb: 'sub'; readonly request: WrittenSubmit }
type Answer = CheckoutAnswer | HeartbeatAnswer | SubmitAnswer

const maxSize = 256
/**
 * Characters of a hand-in's documents that share a window: with 256 of them 4 MiB at most. One of a megabyte would keep all tenants waiting
 * for as long as PostgreSQL reads it; alone it keeps its own tenant waiting. The statement holds large inputs off the same way.
 */
const mostShared = 16 * 1024
const letGoWithinMs = 30

/** By tenant, then by type: checkouts of one group take their items in one walk of the queue. */
const byGroup = (a: CheckoutRequest, b: CheckoutRequest): number =>
  a.tenantId === b.tenantId
    ? Number(a.type !== null) - Number(b.type !== null) || (a.type ?? '').localeCompare(b.type ?? '')
    : a.tenantId < b.tenantId
      ? -1
      : 1

export function throughWindows(
  apart: LeaseVerbs,
  options: {
    readonly query: RunQuery
    readonly hints: LeaseHints | null
    readonly tracing: Tracing
    readonly epoch: number
    readonly heartbeatEverySeconds: number
    readonly idempotencyTtlSeconds: number
    /** Checkouts are counted against limits, which their own statement does. */
    readonly countsLeases: boolean
    isCommon(error: unknown): boolean
  },
): LeaseVerbs {
  const { hints } = options

  /** What the hints hear of a window, tenant by tenant. */
  function tell(slots: readonly Asked[], rows: readonly WindowRow[], sentAt: number): void {
    if (!hints) return
    const leased = new Map<string, string[]>()
    const ended = new Map<string, string[]>()
    const add = (to: Map<string, string[]>, tenantId: string, item: string): void => {
      const items = to.get(tenantId)
      if (items) items.push(item)
      else to.set(tenantId, [item])
    }
    const judged = []
    for (const row of rows) {
      const { verb, request } = slots[row.slot - 1]!
      if (verb === 'take') add(leased, request.tenantId, row.item_id)
      else if (verb === 'sub') add(ended, request.tenantId, row.item_id)
      else
        judged.push({
          request,
          held: true,
          token: request.token,
          agentId: request.agentId,
          principal: request.principal,
          requiresToken: row.needs_token,
          expiresAt: row.body,
          decidedAt: row.decided_at,
          ttlSeconds: Math.abs(row.ttl!),
          recordsEach: row.ttl! < 0,
        })
    }
    for (const [tenantId, items] of leased) hints.granted(tenantId, items)
    if (judged.length > 0) hints.judged(judged, sentAt)
    // Not waited for: sent before anything that this process asks Redis later, and a note that lives on for a moment in another process
    // answers nothing that the database would not fence.
    for (const [tenantId, items] of ended) void hints.changed(tenantId, items)
  }

  /** A statement that failed tells of it before it has let go of its locks: a key may seem in use for a moment that nobody uses. */
  async function submitApart(request: SubmitRequest): Promise<SubmitAnswer> {
    const answer = await apart.submit(request)
    if (answer.kind !== 'in_flight') return answer
    await setTimeout(letGoWithinMs)
    return apart.submit(request)
  }

  const ask = createWindows<Asked, Answer>({
    maxSize,
    isCommon: options.isCommon,
    group: ({ request }) => request.tenantId,
    conflict: (asked) => (asked.verb === 'take' ? null : asked.request.itemId),
    apart({ verb, request }) {
      if (verb === 'take') return apart.checkout(request)
      return verb === 'beat' ? apart.heartbeat(request) : submitApart(request)
    },
    async run(requests) {
      const takes: Array<{ readonly verb: 'take'; readonly request: CheckoutRequest; readonly place: number }> = []
      const beats: Array<{ readonly verb: 'beat'; readonly request: LeaseVerb; readonly place: number }> = []
      const subs: Array<{ readonly verb: 'sub'; readonly request: WrittenSubmit; readonly place: number }> = []
      requests.forEach((asked, place) => {
        if (asked.verb === 'take') takes.push({ verb: 'take', request: asked.request, place })
        else if (asked.verb === 'beat') beats.push({ verb: 'beat', request: asked.request, place })
        else subs.push({ verb: 'sub', request: asked.request, place })
      })
      takes.sort((a, b) => byGroup(a.request, b.request))
      const slots = [...takes, ...beats, ...subs]
      const sentAt = ticks()
      const rows = await asBatch(options.tracing, {
        statement: 'work_window',
        requests: slots.map(({ request }): Asker => request),
        isWorthASpan: (found) => found.length > 0,
        run: () =>
          askWindow(options.query, options, {
            takes: takes.map(({ request }) => request),
            beats: beats.map(({ request }) => request),
            subs: subs.map(({ request }) => request),
          }),
      })
      tell(slots, rows, sentAt)
      const answers: Array<Answer | undefined> = Array.from({ length: requests.length })
      for (const row of rows) {
        const { verb, place } = slots[row.slot - 1]!
        if (verb === 'take') answers[place] = { kind: 'leased', itemId: row.item_id, orderId: row.order_id, json: row.body }
        else if (verb === 'beat') answers[place] = { kind: 'held', expiresAt: row.body }
        else
          answers[place] = {
            kind: 'done',
            body: row.body,
            orderId: row.order_id,
            orderSubmitted: row.order_full === true,
            decidedAt: row.decided_at,
          }
      }
      return answers
    },
  })

  return {
    checkout: (request) =>
      options.countsLeases || request.orderId !== null || request.minPriority !== null
        ? apart.checkout(request)
        : (ask({ verb: 'take', request }) as Promise<CheckoutAnswer>),
    heartbeat: (request) =>
      request.noLaterThan !== undefined || request.token === null
        ? apart.heartbeat(request)
        : (ask({ verb: 'beat', request }) as Promise<HeartbeatAnswer>),
    submit(request) {
      if (request.assembledParts !== null) return apart.submit(request)
      const resultJson = JSON.stringify(request.result)
      const evidenceJson = request.evidence === null ? null : JSON.stringify(request.evidence)
      if (resultJson.length + (evidenceJson?.length ?? 0) + (request.notes?.length ?? 0) > mostShared) return apart.submit(request)
      return ask({ verb: 'sub', request: { ...request, resultJson, evidenceJson } }) as Promise<SubmitAnswer>
    },
  }
}
