/** The statement of a window (migrations/routines/25_windows.sql): checkouts, heartbeats and submits of any tenants, as slots. */
import { randomBytes } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import type { Instant } from '../../kernel/store/tx.ts'
import type { Asker, CheckoutRequest, LeaseVerb, SubmitRequest } from './requests.ts'
import type { RunQuery } from './slots.ts'

/** A hand-in with its documents as the text that is sent and kept. */
export interface WrittenSubmit extends SubmitRequest {
  readonly resultJson: string
  readonly evidenceJson: string | null
}

/** By verb, in the order of the slots; checkouts of one tenant and type stand together. */
export interface WindowRequests {
  readonly takes: readonly CheckoutRequest[]
  readonly beats: readonly LeaseVerb[]
  readonly subs: readonly WrittenSubmit[]
}

/** A clean case; a slot without a row is one that its own statement must judge. */
export interface WindowRow {
  /** From 1. */
  readonly slot: number
  readonly item_id: string
  readonly order_id: string
  /** The item of a checkout as JSON; the new end of the lease; the answer to a submit as JSON. */
  readonly body: string
  readonly order_full: boolean | null
  /** Seconds, of a lease that was kept; negative when the database must hear of each heartbeat. */
  readonly ttl: number | null
  readonly needs_token: boolean
  readonly decided_at: Instant
}

interface Group {
  readonly tenantId: string
  readonly type: string | null
  readonly first: number
  size: number
}
function groupsOf(takes: readonly CheckoutRequest[]): Group[] {
  const groups: Group[] = []
  takes.forEach(({ tenantId, type }, n) => {
    const last = groups.at(-1)
    if (last?.tenantId === tenantId && last.type === type) last.size++
    else groups.push({ tenantId, type, first: n + 1, size: 1 })
  })
  return groups
}

const statement = `select * from wm.work_window(${Array.from({ length: 29 }, (_, n) => `$${n + 1}`).join(',')})`

export function askWindow(
  query: RunQuery,
  settings: { readonly epoch: number; readonly heartbeatEverySeconds: number; readonly idempotencyTtlSeconds: number },
  { takes, beats, subs }: WindowRequests,
): Promise<WindowRow[]> {
  const verbs: readonly LeaseVerb[] = [...beats, ...subs]
  const all: readonly Asker[] = [...takes, ...verbs]
  const groups = groupsOf(takes)
  return query<WindowRow>('work_window', statement, [
    `,${[...new Set(all.map((one) => one.tenantId))].join(',')},`,
    settings.epoch,
    settings.heartbeatEverySeconds,
    settings.idempotencyTtlSeconds,
    takes.length,
    beats.length,
    groups.map((group) => group.tenantId),
    groups.map((group) => group.type),
    groups.map((group) => group.first),
    groups.map((group) => group.size),
    takes.map((take) => take.keyId),
    all.map((one) => one.tenantId),
    all.map((one) => one.agentId),
    all.map((one) => one.principal),
    all.map((one) => one.actorType),
    all.map((one) => one.actorId),
    all.map((one) => one.requestId),
    all.map((one) => one.provenanceId),
    all.map((one) => one.traceId),
    [...takes.map(() => randomBytes(16).toString('base64url')), ...verbs.map((verb) => verb.token)],
    [...takes.map(() => null), ...verbs.map((verb) => verb.itemId)],
    subs.map(() => uuidv7()),
    subs.map((sub) => sub.resultJson),
    subs.map((sub) => sub.evidenceJson),
    subs.map((sub) => sub.notes),
    subs.map((sub) => sub.digest),
    subs.map((sub) => sub.idempotency?.keyHash ?? null),
    subs.map((sub) => sub.idempotency?.fingerprint ?? null),
    subs.map((sub) => sub.traceparent),
  ])
}
