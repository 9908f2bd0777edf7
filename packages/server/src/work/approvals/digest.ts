/** Digests that approvals and ledgers stand on: SHA-256 over RFC 8785 canonical JSON. Pure. */
import { hash } from 'node:crypto'
import { canonicalJson } from '../../kernel/canonical-json.ts'
import { judgeLine } from '../../kernel/schemas/schema-validator.ts'
import type { OrderForDecision } from '../order-types/order-type.ts'

/** `sha256:<hex>` of the canonical form of a JSON value. */
export function digestOf(value: unknown): string {
  return `sha256:${hash('sha256', canonicalJson(value), 'hex')}`
}

const largeText = 256 * 1024

/** The same of a value that is written as JSON already; of a large one on the thread for large documents. Refuses with: busy. */
export async function digestOfText(json: string): Promise<string> {
  return json.length < largeText ? digestOf(JSON.parse(json)) : `sha256:${await judgeLine.digest(json)}`
}

export interface HandedIn {
  readonly result: unknown
  readonly evidence: unknown
  readonly notes: string | null
}

/** What a reviewer relies on in one submission. */
export const submissionDigest = (submission: HandedIn): string =>
  digestOf({ evidence: submission.evidence ?? null, notes: submission.notes, result: submission.result ?? null })

/** What a decision is about. Whoever decides is shown this, and what apply is given is made of it: nothing else. */
export interface DecisionDocument {
  readonly order: OrderForDecision<unknown> & { readonly typeVersion: number }
  readonly items: ReadonlyArray<{
    readonly id: string
    readonly ordinal: number
    readonly state: 'submitted' | 'dead_lettered'
    readonly input: unknown
    readonly result: unknown
    readonly evidence: unknown
    readonly notes: string | null
  }>
}

/** Each member by itself, whatever it is called: one that is added later is covered without anybody thinking of it. */
export const membersOf = (record: object): Record<string, string> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, digestOf(value ?? null)]))

/** Stands with the decision, so that a later reader knows what its digest is of. */
export const documentFormat = 'wm-order-2'

/** The whole document in one digest. An approval names it; apply refuses anything else. */
export function documentDigest({ order, items }: DecisionDocument): string {
  return digestOfMembers(membersOf(order), [...items].sort((a, b) => a.ordinal - b.ordinal).map(membersOf))
}

/** The same of what `membersOf` made of the order and of its items, in their order: none of their documents need be there any more. */
export const digestOfMembers = (order: Record<string, string>, items: readonly Record<string, string>[]): string =>
  digestOf({ format: documentFormat, order, items })
