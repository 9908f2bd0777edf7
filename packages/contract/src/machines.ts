/**
 * The state machines of the product, each one `as const` table: state → { doc, to: { next state: who moves it there } }.
 * The picture in docs/lifecycle.md, the decisions in `domain/` and the database trigger are generated from these tables;
 * there is no code path around them. Source: the state tables agreed for the predecessor's lifecycle, with its dead ends removed.
 */
interface StateSpec {
  /** Who puts work here, who takes it out, and which service rescues it when nobody does. */
  readonly doc: string
  readonly to: Readonly<Record<string, string>>
}
interface Machine {
  readonly initial: string
  readonly states: Readonly<Record<string, StateSpec>>
}

export const orderMachine = {
  initial: 'queued',
  states: {
    queued: {
      doc: 'Proposed and planned; its items wait for an agent. Enters: propose, rework, requeue. Leaves: first checkout, cancel.',
      to: {
        checked_out: 'first item leased',
        submitted: 'every open item was already submitted (after a requeue)',
        failed: 'an item failed for good',
        cancelled: 'cancel',
      },
    },
    checked_out: {
      doc: 'At least one item is leased, nothing has been worked on yet. Rescued by the lease reclaimer.',
      to: {
        in_progress: 'first heartbeat, part or submission',
        queued: 'all leases gone, nothing submitted',
        submitted: 'last open item submitted',
        failed: 'an item failed for good',
        cancelled: 'cancel',
      },
    },
    in_progress: {
      doc: 'Agents are working. Rescued by the lease reclaimer.',
      to: {
        queued: 'all leases gone, nothing submitted',
        submitted: 'last open item submitted',
        failed: 'an item failed for good',
        cancelled: 'cancel',
      },
    },
    submitted: {
      doc: 'Every item is handed in; waits for a person or the auto-approver. Watched by the stale-order alert.',
      to: { approved: 'approve', rejected: 'reject', cancelled: 'cancel' },
    },
    approved: {
      doc: 'A decision bound to a digest exists; the applier takes it from here, and retries it after a crash.',
      to: {
        applied: 'applier, in the same transaction as the changes',
        submitted: 'apply failed or the content changed; see last_apply_error',
        cancelled: 'cancel before apply started',
      },
    },
    applied: {
      doc: 'The changes are committed. Passed through inside the applying transaction; never left backwards.',
      to: { completed: 'items completed' },
    },
    completed: { doc: 'Done. Final.', to: {} },
    rejected: {
      doc: 'A reviewer said no. Leaves by rework (at once when asked) or a later requeue with a reason.',
      to: { queued: 'rework or requeue', cancelled: 'cancel' },
    },
    failed: {
      doc: 'An item could not be done. The dead-letterer files it; a requeue with a reason revives it.',
      to: { queued: 'requeue', dead_lettered: 'dead-letterer' },
    },
    dead_lettered: {
      doc: 'Set aside with a case file. Leaves only by a requeue with a reason.',
      to: { queued: 'requeue' },
    },
    cancelled: { doc: 'Withdrawn before anything was applied; every lease ended. Final.', to: {} },
  },
} as const satisfies Machine

export const itemMachine = {
  initial: 'queued',
  states: {
    queued: {
      doc: 'Ready for checkout. Enters: plan, release, expiry, retry, rework, requeue.',
      to: { leased: 'checkout', failed: 'its order failed', cancelled: 'cancel' },
    },
    leased: {
      doc: 'Held under a live lease, no sign of work yet. Rescued by the lease reclaimer.',
      to: {
        in_progress: 'first heartbeat, part or submission',
        queued: 'release or lease expiry',
        failed: 'fail, attempts used up, or its order failed',
        cancelled: 'cancel',
      },
    },
    in_progress: {
      doc: 'Held under a live lease, being worked on. Rescued by the lease reclaimer.',
      to: {
        submitted: 'submit or finalize',
        queued: 'release or lease expiry',
        failed: 'fail, attempts used up, or its order failed',
        cancelled: 'cancel',
      },
    },
    submitted: {
      doc: 'Handed in and verified; the lease has ended. Waits for the decision on its order.',
      to: { accepted: 'apply', rejected: 'reject', cancelled: 'cancel' },
    },
    accepted: { doc: 'Part of an applied order; passed through inside the applying transaction.', to: { completed: 'apply' } },
    completed: { doc: 'Done. Final.', to: {} },
    rejected: {
      doc: 'Sent back. Passed through on rework; stays here when its order was rejected without rework.',
      to: { queued: 'rework or requeue', cancelled: 'cancel' },
    },
    failed: {
      doc: 'Waits: with available_at, for the retry scheduler; without, for the dead-letterer or a requeue.',
      to: { queued: 'retry scheduler or requeue', dead_lettered: 'dead-letterer', cancelled: 'cancel' },
    },
    dead_lettered: { doc: 'Set aside with a case file. Leaves only by a requeue with a reason.', to: { queued: 'requeue' } },
    cancelled: { doc: 'Withdrawn with its order. Final.', to: {} },
  },
} as const satisfies Machine

export const machines = { order: orderMachine, item: itemMachine } as const

export type OrderState = keyof typeof orderMachine.states
export type ItemState = keyof typeof itemMachine.states
export const orderStates = Object.keys(orderMachine.states) as OrderState[]
export const itemStates = Object.keys(itemMachine.states) as ItemState[]

/** Parts have no machine: a revision is written once as validated or rejected and never changes. */
export const partStatuses = ['validated', 'rejected'] as const
export type PartStatus = (typeof partStatuses)[number]

/** The states reachable from `state` in one step. */
export function allowedFrom(machine: keyof typeof machines, state: string): string[] {
  const spec: Machine = machines[machine]
  return Object.keys(spec.states[state]?.to ?? {})
}
