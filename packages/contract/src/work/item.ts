/** Items: what an agent takes under a lease, works on and hands in. */
import Type from 'typebox'
import { defineEvents } from '../kernel/events.ts'
import { defineMachine, type StateOf, statesOf, tagTests } from '../kernel/machine.ts'
import { defineNoun } from '../kernel/noun.ts'
import { anyJson, nullable, time, uuid } from '../kernel/shapes.ts'

/**
 * Tags: `open` is not handed in and can still be worked on; `held` stands under a lease; `handed_in` has a result that counts;
 * `decidable` is what a decision about the order is about; `closed` needs no more work in this revision; `revivable` comes back
 * by a requeue.
 */
export const itemMachine = defineMachine({
  noun: 'item',
  title: 'Items',
  table: 'items',
  initial: 'queued',
  enters: 'plan',
  states: {
    queued: {
      doc: 'Ready for checkout.',
      tags: ['open'],
      rescued_by: [],
      to: { leased: 'checkout', failed: 'its order failed', cancelled: 'cancel' },
    },
    leased: {
      doc: 'Held under a live lease, no sign of work yet.',
      tags: ['open', 'held'],
      rescued_by: ['lease-reclaimer'],
      to: {
        in_progress: 'first heartbeat, part or submission',
        queued: 'release, lease expiry, or a person or a pause ends the lease',
        failed: 'fail, attempts used up, or its order failed',
        cancelled: 'cancel',
      },
    },
    in_progress: {
      doc: 'Held under a live lease, being worked on.',
      tags: ['open', 'held'],
      rescued_by: ['lease-reclaimer'],
      to: {
        submitted: 'submit or finalize',
        queued: 'release, lease expiry, or a person or a pause ends the lease',
        failed: 'fail, attempts used up, or its order failed',
        cancelled: 'cancel',
      },
    },
    submitted: {
      doc: 'Handed in and verified; the lease has ended. Waits for the decision on its order.',
      tags: ['handed_in', 'decidable', 'closed'],
      rescued_by: [],
      to: { accepted: 'apply', rejected: 'reject', cancelled: 'cancel' },
    },
    accepted: {
      doc: 'Part of an applied order; passed through inside the applying transaction.',
      tags: ['handed_in', 'closed'],
      rescued_by: ['applier'],
      to: { completed: 'apply' },
    },
    completed: { doc: 'Done. Final.', tags: ['handed_in', 'closed'], rescued_by: [], to: {} },
    rejected: {
      doc: 'Sent back. Passed through on rework; stays here when its order was rejected without rework.',
      tags: ['revivable'],
      rescued_by: [],
      to: { queued: 'rework or requeue', cancelled: 'cancel' },
    },
    failed: {
      doc: 'Waits: with available_at, for the retry scheduler; without, for the dead-letterer or a requeue.',
      tags: ['revivable'],
      rescued_by: ['retry-scheduler', 'dead-letterer'],
      to: { queued: 'retry scheduler or requeue', dead_lettered: 'dead-letterer', cancelled: 'cancel' },
    },
    dead_lettered: {
      doc: 'Set aside with a case file. Leaves only by a requeue with a reason.',
      tags: ['revivable', 'decidable', 'closed'],
      rescued_by: [],
      to: { queued: 'requeue' },
    },
    cancelled: { doc: 'Withdrawn with its order. Final.', tags: ['closed'], rescued_by: [], to: {} },
  },
})

export type ItemState = StateOf<typeof itemMachine>
export const itemStates = statesOf(itemMachine)
export const itemIs = tagTests(itemMachine)

export const ItemShape = Type.Object(
  {
    id: uuid('Item id.'),
    order_id: uuid('The order it belongs to.'),
    ordinal: Type.Integer({ description: 'Position in the plan, from 0.' }),
    type: Type.String(),
    state: Type.Enum([...itemStates]),
    attempts: Type.Integer({ description: 'Leases granted so far.' }),
    max_attempts: Type.Integer(),
    leased_by_agent_id: nullable(Type.String()),
    lease_expires_at: nullable(time('End of the live lease.')),
    last_heartbeat_at: nullable(time('')),
    input: anyJson('What the agent works on.'),
    result: anyJson('The latest submission, or null.'),
    assembled_result: anyJson('The latest submission when it was assembled from parts, or null.'),
    evidence: anyJson('Evidence of the latest submission, or null.'),
    parts_required: nullable(Type.Array(Type.String())),
    parts_state: anyJson('part_key → {status, seq, checksum, submitted_at}, or null.'),
    error: anyJson('The last failure or refusal, or null.'),
    rework: anyJson('What the reviewer asked to change, or null.'),
    submission_number: Type.Integer({ description: 'How many submissions were accepted for this item.' }),
    available_at: nullable(time('When the retry scheduler brings the item back.')),
    accepted_at: nullable(time('')),
    created_at: time(''),
    updated_at: time(''),
  },
  { title: 'Item' },
)

export const item = defineNoun({
  noun: 'item',
  machine: itemMachine,
  events: defineEvents(
    'item',
    {
      leased: { says: 'An agent took the item.', priority: 2 },
      in_progress: { says: 'Work on the item began.', priority: 3 },
      heartbeat: { says: 'The lease was extended (recorded only when the type asks for it).', priority: 3 },
      part_submitted: { says: 'A part was accepted.', priority: 2 },
      part_refused: { says: 'A part did not pass its checks.', priority: 2 },
      submission_refused: { says: 'A submission did not pass its checks.', priority: 2 },
      submitted: { says: 'The result was handed in and verified.', priority: 1 },
      released: { says: 'The holder gave the item back.', priority: 2, leaves_in: 'queued' },
      lease_expired: { says: 'The lease ran out and was reclaimed.', priority: 2, leaves_in: 'queued' },
      lease_revoked: { says: 'A person ended the lease; the item went back to the queue.', priority: 2, leaves_in: 'queued' },
      lease_extended: { says: 'A person gave the lease more time.', priority: 2 },
      failed: { says: 'The attempt failed.', priority: 1 },
      retried: { says: 'The item is ready for another attempt.', priority: 2, leaves_in: 'queued' },
      accepted: { says: 'Part of an applied order.', priority: 2 },
      completed: { says: 'Done.', priority: 2 },
      rejected: { says: 'Sent back by a reviewer.', priority: 2 },
      requeued: { says: 'Back in the queue by a person with a reason.', priority: 2, leaves_in: 'queued' },
      dead_lettered: { says: 'Set aside with a case file.', priority: 1 },
      cancelled: { says: 'Withdrawn with its order.', priority: 2 },
    },
    { root: 'order' },
  ),
  abilities: {
    'work:checkout': { group: 'Doing the work', says: 'Take items under a lease.' },
    'work:heartbeat': { group: 'Doing the work', says: 'Extend a lease.' },
    'work:submit': { group: 'Doing the work', says: 'Hand in results and parts, finalize, fail, release.' },
  },
})
