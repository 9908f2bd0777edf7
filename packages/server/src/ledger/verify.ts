/**
 * Recomputes a tenant's hash chain, independently of the SQL that made it (format: migrations/routines/30_numbering.sql), and names
 * the first entry that does not hold. Nothing here trusts a stored hash that it did not compute itself.
 */
import { createHash } from 'node:crypto'
import { findLedgerHead, findEventBeyondHead, type LedgerHead, renderLedger } from './store.ts'
import type { Queryable } from '../kernel/store/tx.ts'

/** What a hash is made of. `payload`, `diff` and `seconds` are the stored text, verbatim. */
export interface LedgerEvent {
  readonly id: string
  readonly kind: string
  readonly decided_at: string
  readonly subject_type?: string
  readonly subject_id?: string | null
  readonly root_id?: string | null
  readonly label?: string | null
  readonly actor_type: string | null
  readonly actor_id: string | null
  readonly principal: string | null
  readonly request_id?: string | null
  readonly trace_id?: string | null
  readonly provenance_id?: string | null
  readonly correlation_id?: string | null
  readonly causation_id?: string | null
  readonly session_key?: string | null
  readonly priority?: number
  readonly reason?: string | null
  readonly seconds?: string | null
  readonly payload: string | null
  readonly diff: string | null
  readonly message: string | null
  /** Instead of subject and root in exports of format wm1. */
  readonly order_id?: string | null
  readonly item_id?: string | null
}
export interface LedgerEntry {
  readonly seq: number
  /** Absent in exports of format wm1, which know only version 1. */
  readonly hash_version?: number
  readonly prev_hash: string | null
  readonly hash: string
  readonly event: LedgerEvent | null
}
/** One or more pages of `GET /ledger`, joined. */
export interface LedgerExport {
  readonly tenant_id: string
  readonly entries: readonly LedgerEntry[]
  readonly head: LedgerHead | null
}

export const damages = {
  entry_missing: 'entries were removed, or their numbers changed',
  event_missing: 'the event behind the entry is gone',
  broken_link: 'the entry does not continue the one before it',
  content_changed: 'the event is not the one that was hashed',
  version_back: 'the entry is hashed by an older rule than the one before it, over fewer of its members',
  tail_missing: 'the newest entries were cut off',
  head_changed: 'the head of the chain is not its last entry',
  rewritten: 'the chain is sound in itself but not the one of the checkpoint',
  event_unnumbered: 'an event stands behind the end of the chain; nobody numbered it',
} as const

export type Damage = keyof typeof damages

export type Verdict =
  | { readonly ok: true; readonly entries: number; readonly head: LedgerHead | null }
  | { readonly ok: false; readonly tenantId: string; readonly seq: number; readonly damage: Damage; readonly detail: string }

/** The hash before the first entry. */
const genesis = '0'.repeat(64)
const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex')
const netstring = (text: string | null): string => `${Buffer.byteLength(text ?? '', 'utf8')}:${text ?? ''},`

type Member = string | number | null | undefined

/** Members of version 1: the order was the root, the item is the subject where it is an item. */
const membersOfVersion1 = (tenantId: string, prevHash: string, seq: number, event: LedgerEvent): Member[] => [
  prevHash,
  tenantId,
  event.root_id === undefined ? event.order_id : event.root_id,
  event.subject_type === undefined ? event.item_id : event.subject_type === 'item' ? event.subject_id : null,
  seq,
  event.id,
  event.kind,
  event.decided_at,
  event.actor_type,
  event.actor_id,
  event.principal,
  sha256(event.payload ?? ''),
  sha256(event.diff ?? ''),
  event.message,
]
/** What version 1 does not cover, migration 7 made of what it does, or left empty: anything else was written there later. */
function isAsMigrated({ subject_type: type, subject_id: subject = null, root_id: root = null, kind, ...event }: LedgerEvent): boolean {
  if (type === undefined) return true
  const item = type === 'item' ? subject : null
  const { correlation_id: story, causation_id: cause, session_key: session, reason, seconds } = event
  return (
    type === (item === null ? kind.split('.', 1)[0] : 'item') &&
    subject === (item ?? (kind.startsWith('order.') ? root : null)) &&
    [story, cause, session, reason, seconds].every((member) => member === null || member === undefined)
  )
}
/** Members of version 2: everything that a reader is shown. */
const membersOfVersion2 = (tenantId: string, prevHash: string, seq: number, event: LedgerEvent): Member[] => [
  prevHash,
  tenantId,
  seq,
  event.id,
  event.kind,
  event.decided_at,
  event.subject_type,
  event.subject_id,
  event.root_id,
  event.label,
  event.actor_type,
  event.actor_id,
  event.principal,
  event.request_id,
  event.trace_id,
  event.provenance_id,
  event.correlation_id,
  event.causation_id,
  event.session_key,
  event.priority,
  event.reason,
  event.seconds,
  sha256(event.payload ?? ''),
  sha256(event.diff ?? ''),
  event.message,
]

/** The hash that the entry must have. */
export function ledgerHash(tenantId: string, prevHash: string, entry: { seq: number; hash_version?: number; event: LedgerEvent }): string {
  const version = entry.hash_version ?? 1
  const members = (version === 1 ? membersOfVersion1 : membersOfVersion2)(tenantId, prevHash, entry.seq, entry.event)
  return sha256(
    `wm${version}${members.map((member) => netstring(member === null || member === undefined ? null : String(member))).join('')}`,
  )
}

interface Chain {
  /** Takes the next entry; answers with the damage, if there is one. */
  take(entry: LedgerEntry): Verdict | null
  /** Compares what was taken with where the chain is said to end. */
  finish(head: LedgerHead | null): Verdict
}

/** `checkpoint`: a head that was written down earlier, outside the database. It shows a chain that was recomputed from some entry on. */
function followChain(
  tenantId: string,
  checkpoint: LedgerHead | null,
  start: LedgerHead & { readonly version: number } = { seq: 0, hash: genesis, version: 1 },
): Chain {
  let last: LedgerHead = start
  let newestVersion = start.version
  const bad = (seq: number, damage: Damage, detail: string = damages[damage]): Verdict => ({ ok: false, tenantId, seq, damage, detail })
  return {
    take({ seq, hash_version: version = 1, prev_hash: prevHash, hash, event }) {
      if (seq !== last.seq + 1) return bad(last.seq + 1, 'entry_missing', `${damages.entry_missing}: ${last.seq} is followed by ${seq}`)
      if (prevHash !== last.hash) return bad(seq, 'broken_link')
      if (event === null) return bad(seq, 'event_missing')
      if (version < newestVersion) return bad(seq, 'version_back')
      newestVersion = version
      if (version !== 1 && version !== 2) return bad(seq, 'content_changed', `hash_version ${version} is not known here`)
      if (version === 1 && !isAsMigrated(event))
        return bad(
          seq,
          'content_changed',
          `${damages.content_changed}: it has members that came after version 1 (${event.kind} ${event.id})`,
        )
      if (ledgerHash(tenantId, last.hash, { seq, hash_version: version, event }) !== hash)
        return bad(seq, 'content_changed', `${damages.content_changed}: ${event.kind} ${event.id}`)
      if (checkpoint?.seq === seq && checkpoint.hash !== hash) return bad(seq, 'rewritten')
      last = { seq, hash }
      return null
    },
    finish(head) {
      const expected = Math.max(head?.seq ?? 0, checkpoint?.seq ?? 0)
      if (expected > last.seq)
        return bad(last.seq + 1, 'tail_missing', `${damages.tail_missing}: the chain reached ${expected}, the last entry is ${last.seq}`)
      if ((head?.seq ?? 0) !== last.seq || (head?.hash ?? genesis) !== last.hash) return bad(last.seq, 'head_changed')
      return { ok: true, entries: last.seq, head }
    },
  }
}

/** Judges a whole export offline, from entry 1 to its head. */
export function verifyExport(exported: LedgerExport, checkpoint: LedgerHead | null = null): Verdict {
  const chain = followChain(exported.tenant_id, checkpoint)
  for (const entry of exported.entries) {
    const verdict = chain.take(entry)
    if (verdict) return verdict
  }
  return chain.finish(exported.head)
}

const pageSize = 1000

const readEntries = async (q: Queryable, tenantId: string, range: Parameters<typeof renderLedger>[2]): Promise<LedgerEntry[]> =>
  (await renderLedger(q, tenantId, range)).map(({ json }) => JSON.parse(json) as LedgerEntry)

/**
 * Judges up to `most` entries of a tenant's chain in the database behind entry `after`, whose own hash is taken as it stands, and, at the
 * end of the chain, looks for events that stand behind it. `nextAfter`: where to go on; null at the end, or at the first damage.
 */
export async function verifyPart(
  q: Queryable,
  tenantId: string,
  part: { readonly after: number; readonly most: number; readonly checkpoint: LedgerHead | null },
): Promise<{ verdict: Verdict; nextAfter: number | null }> {
  // The head first: the chain only grows, so every entry up to it must be there by now.
  const head = (await findLedgerHead(q, tenantId)) ?? null
  const through = Math.min(head?.seq ?? 0, part.after + part.most)
  // The entry before the first is not judged again; its hash and the rule that made it are what the first one goes on from.
  const [before] = part.after === 0 ? [] : await readEntries(q, tenantId, { after: part.after - 1, through: part.after, limit: 1 })
  const start = before && { seq: before.seq, hash: before.hash, version: before.hash_version ?? 1 }
  const chain = followChain(tenantId, part.checkpoint, start)
  let after = start?.seq ?? 0
  for (;;) {
    const page = await readEntries(q, tenantId, { after, through, limit: pageSize })
    for (const entry of page) {
      const verdict = chain.take(entry)
      if (verdict) return { verdict, nextAfter: null }
      after = entry.seq
    }
    if (page.length < pageSize) break
  }
  if (head !== null && through < head.seq && after === through) return { verdict: { ok: true, entries: after, head }, nextAfter: after }
  const verdict = chain.finish(head)
  const beyond = verdict.ok ? await findEventBeyondHead(q, tenantId) : undefined
  if (!beyond) return { verdict, nextAfter: null }
  const detail = `${damages.event_unnumbered}: ${beyond.kind} ${beyond.id} of ${beyond.decided_at}, as entry ${beyond.seq}`
  return { verdict: { ok: false, tenantId, seq: after, damage: 'event_unnumbered', detail }, nextAfter: null }
}

/** Judges a tenant's whole chain in the database. */
export async function verifyLedger(q: Queryable, tenantId: string, checkpoint: LedgerHead | null = null): Promise<Verdict> {
  return (await verifyPart(q, tenantId, { after: 0, most: Number.MAX_SAFE_INTEGER, checkpoint })).verdict
}
