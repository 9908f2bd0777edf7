/** The statement of a window (migrations/routines/25_windows.sql): checkouts, heartbeats and submits of any tenants, as slots. */
import { randomBytes } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import { arrayLiteral, byteaArrayLiteral } from '../../kernel/store/array-literal.ts'
import type { Instant } from '../../kernel/store/tx.ts'
import type { Asker, CheckoutRequest, LeaseVerb, SubmitRequest } from './requests.ts'
import type { RunQuery } from './slots.ts'

/** By verb, in the order of the slots; checkouts of one tenant and type stand together. */
export interface WindowRequests {
  readonly takes: readonly CheckoutRequest[]
  readonly beats: readonly LeaseVerb[]
  readonly subs: readonly SubmitRequest[]
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

/** Stands in no JSON text: `JSON.stringify` escapes it. So texts need no quoting on the way. */
const separator = '\u001F'
const json = (value: unknown): string => (value === null || value === undefined ? '' : JSON.stringify(value))

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

const statement = `select * from wm.work_window($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,
  string_to_array($23, U&'\\001f'), string_to_array($24, U&'\\001f', ''), $25,$26,$27,$28,$29)`

export function askWindow(
  query: RunQuery,
  settings: { readonly epoch: number; readonly heartbeatEverySeconds: number; readonly idempotencyTtlSeconds: number },
  { takes, beats, subs }: WindowRequests,
): Promise<WindowRow[]> {
  const verbs: readonly LeaseVerb[] = [...beats, ...subs]
  const all: readonly Asker[] = [...takes, ...verbs]
  const groups = groupsOf(takes)
  const of = (value: (one: Asker) => string | null) => arrayLiteral(all.map(value))
  const ofSubs = (value: (one: SubmitRequest) => string | null) => arrayLiteral(subs.map(value))
  return query<WindowRow>('work_window', statement, [
    `,${[...new Set(all.map((one) => one.tenantId))].join(',')},`,
    settings.epoch,
    settings.heartbeatEverySeconds,
    settings.idempotencyTtlSeconds,
    takes.length,
    beats.length,
    arrayLiteral(groups.map((group) => group.tenantId)),
    arrayLiteral(groups.map((group) => group.type)),
    arrayLiteral(groups.map((group) => String(group.first))),
    arrayLiteral(groups.map((group) => String(group.size))),
    arrayLiteral(takes.map((take) => take.keyId)),
    of((one) => one.tenantId),
    of((one) => one.agentId),
    of((one) => one.principal),
    of((one) => one.actorType),
    of((one) => one.actorId),
    of((one) => one.requestId),
    of((one) => one.provenanceId),
    of((one) => one.traceId),
    arrayLiteral([...takes.map(() => randomBytes(16).toString('base64url')), ...verbs.map((verb) => verb.token)]),
    arrayLiteral([...takes.map(() => null), ...verbs.map((verb) => verb.itemId)]),
    ofSubs(() => uuidv7()),
    subs.map((sub) => JSON.stringify(sub.result)).join(separator),
    subs.map((sub) => json(sub.evidence)).join(separator),
    ofSubs((sub) => sub.notes),
    ofSubs((sub) => sub.digest),
    byteaArrayLiteral(subs.map((sub) => sub.idempotency?.keyHash ?? null)),
    byteaArrayLiteral(subs.map((sub) => sub.idempotency?.fingerprint ?? null)),
    ofSubs((sub) => sub.traceparent),
  ])
}
