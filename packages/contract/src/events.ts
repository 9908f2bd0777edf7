/** Every kind of fact that the record can hold. Past tense; the wire name of `event` keeps the predecessor's words. */
export const eventKinds = {
  'order.proposed': 'An order was proposed.',
  'order.planned': 'The order was split into items.',
  'order.checked_out': 'The first item was leased.',
  'order.in_progress': 'Work on the order began.',
  'order.requeued': 'The order went back to the queue.',
  'order.submitted': 'Every item is handed in.',
  'order.approved': 'A decision to apply, bound to a digest.',
  'order.rejected': 'A decision not to apply.',
  'order.auto_approval_failed': 'The automatic approval did not pass; the order waits for a person.',
  'order.apply_failed': 'Applying failed before commit; nothing was changed.',
  'order.applied': 'The changes are committed.',
  'order.completed': 'The order is done.',
  'order.failed': 'An item could not be done.',
  'order.dead_lettered': 'Set aside with a case file.',
  'order.cancelled': 'Withdrawn.',
  'order.stale': 'The order has not moved for longer than the threshold.',
  'item.leased': 'An agent took the item.',
  'item.in_progress': 'Work on the item began.',
  'item.heartbeat': 'The lease was extended (recorded only when the type asks for it).',
  'item.part_submitted': 'A part was accepted.',
  'item.part_refused': 'A part did not pass its checks.',
  'item.submission_refused': 'A submission did not pass its checks.',
  'item.submitted': 'The result was handed in and verified.',
  'item.released': 'The holder gave the item back.',
  'item.lease_expired': 'The lease ran out and was reclaimed.',
  'item.lease_revoked': 'A person ended the lease; the item went back to the queue.',
  'item.lease_extended': 'A person gave the lease more time.',
  'item.failed': 'The attempt failed.',
  'item.retried': 'The item is ready for another attempt.',
  'item.accepted': 'Part of an applied order.',
  'item.completed': 'Done.',
  'item.rejected': 'Sent back by a reviewer.',
  'item.requeued': 'Back in the queue by a person with a reason.',
  'item.dead_lettered': 'Set aside with a case file.',
  'item.cancelled': 'Withdrawn with its order.',
  'effect.delivered': 'An outside effect was carried out; the receipt is kept.',
  'effect.failed': 'An outside effect failed and will be tried again.',
  'effect.unknown': 'The outcome of an outside effect is not known; a person must look.',
  'generator.failed': 'A generator of orders threw.',
  'idempotency.purged': 'A person deleted old idempotency keys.',
  'pause.set': 'A person paused an agent, a type, the tenant or everything.',
  'pause.lifted': 'A person lifted a pause.',
  'tenant.tier_set': 'Whoever runs the server changed what the tenant is entitled to.',
  'publisher.cursor_moved': 'A person rewound a publisher, or skipped facts for it.',
  'publisher.messages_retried': 'A person had parked messages sent once more.',
  'publisher.message_discarded': 'A person gave a parked message up.',
  'key.created': 'An API key was made.',
  'key.rotated': 'An API key was replaced.',
  'key.revoked': 'An API key was revoked.',
} as const

export type EventKind = keyof typeof eventKinds
/** P0 = decisions and applied changes … P3 = chatter; archiving keeps the lower numbers longer. */
export type EventPriority = 0 | 1 | 2 | 3

const p0 = new Set([
  'order.approved',
  'order.rejected',
  'order.applied',
  'order.apply_failed',
  'order.cancelled',
  'effect.unknown',
  'pause.set',
  'pause.lifted',
  'tenant.tier_set',
  'publisher.cursor_moved',
  'publisher.messages_retried',
  'publisher.message_discarded',
  'key.created',
  'key.rotated',
  'key.revoked',
])
const p1 = new Set([
  'order.proposed',
  'order.submitted',
  'order.completed',
  'order.failed',
  'order.dead_lettered',
  'item.submitted',
  'item.failed',
  'item.dead_lettered',
  'order.auto_approval_failed',
  'effect.delivered',
  'effect.failed',
])
const p3 = new Set(['item.heartbeat', 'item.in_progress', 'order.in_progress'])

/** The archive priority of a kind of event. */
export function eventPriority(kind: EventKind): EventPriority {
  if (p0.has(kind)) return 0
  if (p1.has(kind)) return 1
  return p3.has(kind) ? 3 : 2
}
