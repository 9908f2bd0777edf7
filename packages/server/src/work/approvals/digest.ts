/** Digests that approvals and ledgers stand on: SHA-256 over RFC 8785 canonical JSON. Pure. */
import { hash } from 'node:crypto'
import { canonicalJson } from '../../kernel/canonical-json.ts'

/** `sha256:<hex>` of the canonical form of a JSON value. */
export function digestOf(value: unknown): string {
  return `sha256:${hash('sha256', canonicalJson(value), 'hex')}`
}

export interface HandedIn {
  readonly result: unknown
  readonly evidence: unknown
  readonly notes: string | null
}

/** What a reviewer relies on in one submission. */
export const submissionDigest = (submission: HandedIn): string =>
  digestOf({ evidence: submission.evidence ?? null, notes: submission.notes, result: submission.result ?? null })

export interface OrderContent {
  readonly id: string
  readonly type: string
  readonly typeVersion: number
  readonly revision: number
  readonly payload: unknown
  readonly items: ReadonlyArray<{
    readonly id: string
    readonly ordinal: number
    readonly state: string
    readonly input: unknown
    readonly submission: HandedIn | null
  }>
}

/** Everything that apply will read, in one digest. An approval names it; apply refuses anything else. */
export function orderDigest(order: OrderContent): string {
  return digestOf({
    format: 'wm-order-1',
    id: order.id,
    type: order.type,
    type_version: order.typeVersion,
    revision: order.revision,
    payload: digestOf(order.payload),
    items: [...order.items]
      .sort((a, b) => a.ordinal - b.ordinal)
      .map((item) => ({
        id: item.id,
        state: item.state === 'dead_lettered' ? 'dead_lettered' : 'submitted',
        input: digestOf(item.input),
        submission: item.submission ? submissionDigest(item.submission) : null,
      })),
  })
}
