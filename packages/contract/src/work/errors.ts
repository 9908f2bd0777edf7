import { defineErrors } from '../kernel/errors.ts'

/** What the rules of orders, items, leases and parts refuse. */
export const workErrors = {
  ...defineErrors('Who you are and what you may do', {
    separation_of_duties: { status: 403, retry: 'never', title: 'You took part in this order, so you cannot approve it.', fix: 'Ask another person; the type may allow self-approval with duties.selfApproval = "allow".' },
    forbidden_direct_mutation: {
      status: 403,
      retry: 'never',
      title: 'This change must come through a work order.',
      fix: 'Propose an order; its applier carries the context that this route asks for.',
      tools: { fix: 'Propose an order; applying it makes the change.' },
    },
  }),
  ...defineErrors('Finding things', {
    order_type_not_found: { status: 404, retry: 'never', title: 'The order type is not registered.', fix: 'List the types with GET /types.' },
  }),
  ...defineErrors('Content', {
    payload_invalid: { status: 422, retry: 'never', title: 'The payload does not match the schema of the order type.', fix: 'Correct the fields named in `errors`; the schema is at GET /types.' },
    verification_failed: { status: 422, retry: 'never', title: 'The submission did not pass the checks of its type.', fix: 'Correct what `errors` names and submit again under the same lease, with a new idempotency key.' },
    too_many_open_orders: {
      status: 409,
      retry: 'later',
      title: 'Too many orders that you proposed are still open.',
      fix: 'Wait until some are decided, or cancel those that nobody needs; whoever runs the server sets propose.max_open_per_principal.',
    },
    empty_plan: { status: 422, retry: 'never', title: 'The order type planned no items for this payload.', fix: 'Change the payload so that there is something to do.' },
    plan_failed: { status: 422, retry: 'never', title: 'The order type could not plan this payload.', fix: 'Correct the payload, or ask whoever maintains the type; the server log has the cause.' },
    already_planned: { status: 409, retry: 'never', title: 'The order already has items.', fix: 'An order is planned once; propose a new one to plan again.' },
  }),
  ...defineErrors('Leases', {
    no_items_available: { status: 409, retry: 'later', title: 'No work items are available.', fix: 'Try later, or add ?wait=20 to wait for one. An item that you let go twice is offered to others first.' },
    order_not_open: { status: 409, retry: 'never', title: 'The order takes no more work.', fix: 'Nothing to do here: check out without naming an order, or another one. A requeue by a person brings a failed or rejected order back.' },
    lease_limit_reached: { status: 409, retry: 'later', title: 'As many leases are in force as may be at a time.', fix: 'Finish or release an item you hold, or wait until others did; ?wait=20 waits for you.' },
    paused: { status: 409, retry: 'later', title: 'A person has paused this.', fix: 'Stop working on what you hold: its leases have ended. Ask again when Retry-After is over; only a person lifts a pause.' },
    lease_token_required: { status: 422, retry: 'never', title: 'This item needs the lease token.', fix: 'Send lease_token as checkout returned it.' },
    lease_error: { status: 409, retry: 'never', title: 'You do not hold the lease on this item.', fix: 'Stop working on it; check out again.' },
    lease_expired: { status: 409, retry: 'never', title: 'The lease on this work item has expired.', fix: 'Stop working on it; check out again, and heartbeat more often.' },
    lease_lost: { status: 409, retry: 'never', title: 'The lease that you name is no longer the live one.', fix: 'Stop working on it; another attempt may hold the item. Check out again.' },
    already_submitted: { status: 409, retry: 'never', title: 'The item was already handed in.', fix: 'Nothing to do; read the item to see its state.' },
  }),
  ...defineErrors('States, decisions and applying', {
    illegal_state_transition: { status: 409, retry: 'after_refresh', title: 'The order or item is not in a state that allows this.', fix: 'Read it again; `detail` names the current state and the ones that allow this.' },
    not_ready_for_approval: { status: 409, retry: 'after_refresh', title: 'Order is not ready for approval.', fix: 'See `errors` for what is missing.' },
    content_changed: {
      status: 412,
      retry: 'after_refresh',
      title: 'The order is not what you looked at any more.',
      fix: 'Read the order again, look at what changed (`changes` names it, where the order was shown to you), and approve its present digest.',
    },
    digest_required: {
      status: 422,
      retry: 'never',
      title: 'This server asks reviewers to name the digest they approve.',
      fix: 'Look at the order and send {"digest":"…"} as GET /orders/{order} shows it; `changes` names what changed since it was shown to you.',
    },
    order_type_broke: {
      status: 503,
      retry: 'later',
      title: 'The code of the order type broke or took too long; nothing was changed.',
      fix: 'Tell whoever maintains the type: the log of the server has the cause. Give the item back if it stays so.',
    },
    order_too_large: { status: 413, retry: 'never', title: 'The documents of the order are too large to decide about together.', fix: 'Reject the order, and propose it again as several smaller ones.' },
    apply_failed: { status: 422, retry: 'after_refresh', title: 'Applying the order failed; nothing was changed.', fix: 'See last_apply_error on the order; correct the cause and approve again, or reject.' },
  }),
  ...defineErrors('Parts', {
    parts_missing: { status: 422, retry: 'never', title: 'Required parts are missing.', fix: 'Submit the parts that `errors` names, or finalize with mode best_effort.' },
    parts_not_supported: { status: 422, retry: 'never', title: 'This order type takes no parts.', fix: 'Hand the whole result in with submit.' },
    too_many_parts: { status: 422, retry: 'never', title: 'The item has as many part revisions as the server allows.', fix: 'Finalize, or send fewer, larger parts.' },
    parts_too_large: { status: 413, retry: 'never', title: 'The parts of the item are too large together.', fix: 'Finalize what is there, hand in shorter parts, or ask for a larger partials.max_item_bytes.' },
    part_too_large: { status: 413, retry: 'never', title: 'The part is too large.', fix: 'Split it into several seq numbers of the same part_key.' },
  }),
}
