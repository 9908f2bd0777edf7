/** The one story that is told through every door: two items, one handed in in parts, one that changes hands; refusals on the way. */
import type { ErrorCode } from '@work-manager/contract'
import { expireLease } from '../row-gate.ts'
import type { TestServer } from '../test-server.ts'
import type { Input } from './doors.ts'

export type Role = 'proposer' | 'agent' | 'successor' | 'bold' | 'reviewer'
/** `bold` is an agent whose key holds every ability: it may still not decide. */
export const roles: Readonly<Record<Role, { kind: 'agent' | 'person' | 'service'; id: string; abilities?: string[] }>> = {
  proposer: { kind: 'service', id: 'crm' },
  agent: { kind: 'agent', id: 'agent-1' },
  successor: { kind: 'agent', id: 'agent-2' },
  bold: { kind: 'agent', id: 'agent-3', abilities: ['work:*'] },
  reviewer: { kind: 'person', id: 'rita' },
}

/** What the story learns as it goes. */
export interface Seen {
  order: string
  digest: string
  one: { id: string; lease_token: string }
  two: { id: string; lease_token: string }
  stale: string
}

export interface Step {
  readonly says: string
  readonly who: Role
  readonly operation: string
  readonly input: (seen: Seen) => Input
  /** The same call once more, with the same key where it takes one, answers the same. */
  readonly repeatable?: true
  readonly refused?: ErrorCode
  readonly keep?: (answer: any, seen: Seen) => void
  /** What happens in the world before the call. */
  readonly before?: (server: TestServer, seen: Seen) => Promise<unknown>
  /** The applier works while the call waits. */
  readonly applies?: true
}

// What a door might lose: text that looks like a file or an option, control characters, key order, numbers, empty and deep values.
const notes = '@rita: “naïve” \u001b[31mred\u001b[0m\n\t--json 日本 🙂 \u202e'
const evidence = [
  { url: 'https://example.org/?a=1&b=%20', quote: 'so "it" is', retrieved_at: '2026-07-01T00:00:00Z', weight: 0.1, large: 1e21 },
  { zebra: null, url: 'https://example.org/2', retrieved_at: '2026-07-01T00:00:00Z', ant: [[], {}, false, -1], '': '' },
]
const opening = (title: string) => ({ zulu: { deep: [{ b: 1, a: [null] }] }, text: `On ${title}`, alpha: '' })
const ending = { text: 'The end.\r\n' }
const wrong = { opening: { text: 'On something else' }, ending }
const held = (item: { id: string; lease_token: string }) => ({ item: item.id, lease_token: item.lease_token })

export const steps: readonly Step[] = [
  {
    says: 'a payload of another shape is refused',
    who: 'proposer',
    operation: 'propose_order',
    input: () => ({ type: 'test.parity', payload: { titles: [] } }),
    refused: 'payload_invalid',
  },
  {
    says: 'a type that is not there is refused',
    who: 'proposer',
    operation: 'propose_order',
    input: () => ({ type: 'test.nothing', payload: { titles: ['a'] } }),
    refused: 'order_type_not_found',
  },
  {
    says: 'an order is proposed',
    who: 'proposer',
    operation: 'propose_order',
    input: () => ({ type: 'test.parity', payload: { titles: ['cats', 'dogs'] }, meta: { team: 'ü', n: { deep: [1, null] } }, priority: 7 }),
    repeatable: true,
    keep: ({ order }, seen) => (seen.order = order.id),
  },
  {
    says: 'an agent takes the first item',
    who: 'agent',
    operation: 'checkout_order_item',
    input: ({ order }) => ({ order }),
    keep: ({ item }, seen) => (seen.one = item),
  },
  { says: 'it keeps its lease', who: 'agent', operation: 'heartbeat_item', input: ({ one }) => held(one) },
  {
    says: 'a part of another shape is refused, and remembered',
    who: 'agent',
    operation: 'submit_part',
    input: ({ one }) => ({ ...held(one), part_key: 'opening', payload: { words: 'none' } }),
    refused: 'verification_failed',
  },
  {
    says: 'a part is handed in',
    who: 'agent',
    operation: 'submit_part',
    input: ({ one }) => ({ ...held(one), part_key: 'opening', seq: 1, payload: opening('cats'), evidence, notes }),
    repeatable: true,
  },
  {
    says: 'finalizing too early is refused',
    who: 'agent',
    operation: 'finalize_item',
    input: ({ one }) => ({ ...held(one), mode: 'strict' }),
    refused: 'parts_missing',
  },
  {
    says: 'the other part is handed in',
    who: 'agent',
    operation: 'submit_part',
    input: ({ one }) => ({ ...held(one), part_key: 'ending', payload: ending }),
  },
  { says: 'the parts are listed', who: 'agent', operation: 'list_parts', input: ({ one }) => ({ item: one.id }) },
  {
    says: 'the parts are assembled',
    who: 'agent',
    operation: 'finalize_item',
    input: ({ one }) => ({ ...held(one), mode: 'strict', notes }),
    repeatable: true,
  },
  {
    says: 'an order with an open item cannot be approved',
    who: 'reviewer',
    operation: 'approve_order',
    input: ({ order }) => ({ order }),
    refused: 'not_ready_for_approval',
  },
  {
    says: 'the agent takes the next item of this type',
    who: 'agent',
    operation: 'checkout_item',
    input: () => ({ type: 'test.parity', min_priority: 7 }),
    keep({ item }, seen) {
      seen.two = item
      seen.stale = item.lease_token
    },
  },
  {
    says: 'a result that fails a check is refused, and remembered',
    who: 'agent',
    operation: 'submit_item',
    input: ({ two }) => ({ ...held(two), result: wrong, notes }),
    refused: 'verification_failed',
  },
  {
    says: 'its lease runs out, and another agent takes the item',
    who: 'successor',
    operation: 'checkout_order_item',
    input: ({ order }) => ({ order }),
    async before(server, { two }) {
      await expireLease(server.database, two.id)
      await server.run('lease-reclaimer')
    },
    keep: ({ item }, seen) => (seen.two = item),
  },
  {
    says: 'the first agent comes too late',
    who: 'agent',
    operation: 'submit_item',
    input: ({ two, stale }) => ({ item: two.id, lease_token: stale, result: { opening: opening('dogs'), ending } }),
    refused: 'lease_lost',
  },
  {
    says: 'and cannot use the lease of the other',
    who: 'agent',
    operation: 'heartbeat_item',
    input: ({ two }) => held(two),
    refused: 'lease_error',
  },
  {
    says: 'the second agent hands in',
    who: 'successor',
    operation: 'submit_item',
    input: ({ two }) => ({ ...held(two), result: { opening: opening('dogs'), ending }, evidence, notes }),
    repeatable: true,
  },
  {
    says: 'nothing is left to take',
    who: 'successor',
    operation: 'checkout_order_item',
    input: ({ order }) => ({ order }),
    refused: 'order_not_open',
  },
  {
    says: 'the order says what it waits for',
    who: 'agent',
    operation: 'explain_order',
    input: ({ order }) => ({ order }),
  },
  {
    says: 'the order is read',
    who: 'reviewer',
    operation: 'get_order',
    input: ({ order }) => ({ order }),
    keep: ({ order }, seen) => (seen.digest = order.digest),
  },
  {
    says: 'an agent cannot approve',
    who: 'agent',
    operation: 'approve_order',
    input: ({ order, digest }) => ({ order, digest }),
    refused: 'scope_missing',
  },
  {
    says: 'not even with a key that holds every ability',
    who: 'bold',
    operation: 'approve_order',
    input: ({ order, digest }) => ({ order, digest }),
    refused: 'agents_cannot_decide',
  },
  {
    says: 'nobody approves what they did not see',
    who: 'reviewer',
    operation: 'approve_order',
    input: ({ order }) => ({ order, digest: `sha256:${'0'.repeat(64)}` }),
    refused: 'content_changed',
  },
  {
    says: 'a person approves, and it is applied',
    who: 'reviewer',
    operation: 'approve_order',
    input: ({ order, digest }) => ({ order, digest }),
    applies: true,
  },
  {
    says: 'what is applied is completed, and its effects have run',
    who: 'agent',
    operation: 'get_order',
    input: ({ order }) => ({ order }),
    before: (server) => server.run('effect-runner'),
  },
]
