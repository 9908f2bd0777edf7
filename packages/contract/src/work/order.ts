/** Orders: what is proposed, worked on item by item, decided and applied. */
import Type from 'typebox'
import { defineEvents } from '../kernel/events.ts'
import { defineMachine, type StateOf, statesOf, tagTests } from '../kernel/machine.ts'
import { defineNoun } from '../kernel/noun.ts'
import { anyJson, nullable, time, uuid } from '../kernel/shapes.ts'
import { EventShape } from '../ledger/event.ts'
import { ItemShape } from './item.ts'

/**
 * Tags: `open` has items that can still be worked on; `working` is open and was begun; `watched` is reported when it stands still
 * too long; `decided` carries an approval; `settled` moves no more unless somebody decides anew; `revivable` comes back by a requeue.
 */
export const orderMachine = defineMachine({
  noun: 'order',
  title: 'Orders',
  table: 'orders',
  initial: 'queued',
  enters: 'propose',
  states: {
    queued: {
      doc: 'Proposed and planned; its items wait for an agent.',
      tags: ['open', 'watched'],
      rescued_by: ['stale-order-alert'],
      to: {
        checked_out: 'first item leased',
        submitted: 'every open item was already submitted (after a requeue)',
        failed: 'an item failed for good',
        cancelled: 'cancel',
      },
    },
    checked_out: {
      doc: 'At least one item is leased, nothing has been worked on yet.',
      tags: ['open', 'working', 'watched'],
      rescued_by: ['lease-reclaimer', 'stale-order-alert'],
      to: {
        in_progress: 'first heartbeat, part or submission',
        queued: 'all leases gone, nothing submitted',
        submitted: 'last open item submitted',
        failed: 'an item failed for good',
        cancelled: 'cancel',
      },
    },
    in_progress: {
      doc: 'Agents are working.',
      tags: ['open', 'working', 'watched'],
      rescued_by: ['lease-reclaimer', 'stale-order-alert'],
      to: {
        queued: 'all leases gone, nothing submitted',
        submitted: 'last open item submitted',
        failed: 'an item failed for good',
        cancelled: 'cancel',
      },
    },
    submitted: {
      doc: 'Every item is handed in; waits for a person or the auto-approver.',
      tags: ['watched'],
      rescued_by: ['auto-approver', 'stale-order-alert'],
      to: { approved: 'approve', rejected: 'reject', cancelled: 'cancel' },
    },
    approved: {
      doc: 'A decision bound to a digest exists; the applier takes it from here, and retries it after a crash.',
      tags: ['watched', 'decided'],
      rescued_by: ['applier', 'stale-order-alert'],
      to: {
        applied: 'applier, in the same transaction as the changes',
        submitted: 'apply failed or the content changed; see last_apply_error',
        cancelled: 'cancel before apply started',
      },
    },
    applied: {
      doc: 'The changes are committed. Passed through inside the applying transaction; never left backwards.',
      tags: ['decided'],
      rescued_by: ['applier'],
      to: { completed: 'items completed' },
    },
    completed: { doc: 'Done. Final.', tags: ['decided', 'settled'], rescued_by: [], to: {} },
    rejected: {
      doc: 'A reviewer said no. Leaves by rework (at once when asked) or a later requeue with a reason.',
      tags: ['settled', 'revivable'],
      rescued_by: [],
      to: { queued: 'rework or requeue', cancelled: 'cancel' },
    },
    failed: {
      doc: 'An item could not be done. The dead-letterer files it; a requeue with a reason revives it.',
      tags: ['settled', 'revivable'],
      rescued_by: ['dead-letterer'],
      to: { queued: 'requeue', dead_lettered: 'dead-letterer' },
    },
    dead_lettered: {
      doc: 'Set aside with a case file. Leaves only by a requeue with a reason.',
      tags: ['settled', 'revivable'],
      rescued_by: [],
      to: { queued: 'requeue' },
    },
    cancelled: {
      doc: 'Withdrawn before anything was applied; every lease ended. Final.',
      tags: ['settled'],
      rescued_by: [],
      to: {},
    },
  },
})

export type OrderState = StateOf<typeof orderMachine>
export const orderStates = statesOf(orderMachine)
export const orderIs = tagTests(orderMachine)

export const OrderShape = Type.Object(
  {
    id: uuid('Order id.'),
    type: Type.String(),
    type_version: Type.Integer(),
    state: Type.Enum([...orderStates]),
    priority: Type.Integer(),
    revision: Type.Integer({ description: 'Starts at 1; each rework adds one.' }),
    requested_by_type: nullable(Type.String()),
    requested_by_id: nullable(Type.String()),
    payload: anyJson(''),
    meta: anyJson(''),
    acceptance_config: anyJson('The payload schema at proposal time.'),
    items_total: Type.Integer(),
    items_submitted: Type.Integer(),
    last_apply_error: anyJson('Why the last apply failed, or null.'),
    applied_at: nullable(time('')),
    completed_at: nullable(time('')),
    last_transitioned_at: time(''),
    created_at: time(''),
    updated_at: time(''),
    digest: Type.Optional(nullable(Type.String({ description: 'sha256 of exactly what would be applied; approve names it.' }))),
    items: Type.Optional(Type.Array(ItemShape)),
    items_omitted: Type.Optional(Type.Integer({ description: 'Items beyond those shown; GET /items?order=… lists them all.' })),
    events: Type.Optional(Type.Array(EventShape)),
    events_behind: Type.Optional(
      Type.Boolean({ description: 'True: the newest events have no number yet and are missing here; the order itself is as it is.' }),
    ),
    items_count: Type.Optional(Type.Integer()),
    items_exists: Type.Optional(Type.Boolean()),
    events_count: Type.Optional(Type.Integer()),
    events_exists: Type.Optional(Type.Boolean()),
  },
  { title: 'Order' },
)

export const order = defineNoun({
  noun: 'order',
  machine: orderMachine,
  events: defineEvents('order', {
    proposed: { says: 'An order was proposed.', priority: 1, leaves_in: 'queued' },
    planned: { says: 'The order was split into items.', priority: 2 },
    checked_out: { says: 'The first item was leased.', priority: 2 },
    in_progress: { says: 'Work on the order began.', priority: 3 },
    requeued: { says: 'The order went back to the queue.', priority: 2, leaves_in: 'queued' },
    submitted: { says: 'Every item is handed in.', priority: 1 },
    approved: { says: 'A decision to apply, bound to a digest.', priority: 0 },
    rejected: { says: 'A decision not to apply.', priority: 0 },
    auto_approval_failed: { says: 'The automatic approval did not pass; the order waits for a person.', priority: 1 },
    apply_failed: { says: 'Applying failed before commit; nothing was changed.', priority: 0, leaves_in: 'submitted' },
    applied: { says: 'The changes are committed.', priority: 0 },
    completed: { says: 'The order is done.', priority: 1 },
    failed: { says: 'An item could not be done.', priority: 1 },
    dead_lettered: { says: 'Set aside with a case file.', priority: 1 },
    cancelled: { says: 'Withdrawn.', priority: 0 },
    stale: { says: 'The order has not moved for longer than the threshold.', priority: 2 },
  }),
  abilities: {
    'work:propose': { group: 'Proposing', says: 'Propose and plan orders.' },
    'work:view': { group: 'Reading', says: 'Read orders, items, parts, logs, types and records.' },
  },
})
