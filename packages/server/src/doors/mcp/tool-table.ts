/**
 * Which operations are tools, under which names: the predecessor's, so that its agents find what they know. Everything else about a
 * tool (arguments, shapes, who may call it, idempotency) comes from the operation.
 */

/** What a tool does to the world, as clients show it to people. Hints only: the server judges by itself. */
interface Effects {
  /** Takes something away or ends it. */
  readonly destructive?: true
  /** Reaches beyond this server: applying may change anything. */
  readonly openWorld?: true
}

interface ToolEntry {
  readonly title: string
  /** Several: the first one whose ids are given is called; the last one otherwise. */
  readonly operations: readonly string[]
  /** What an agent should know beside the operation's summary. */
  readonly advice?: string
  readonly effects?: Effects
}

export const toolTable: Readonly<Record<string, ToolEntry>> = {
  'work.types': {
    title: 'Order types',
    operations: ['list_order_types'],
    advice: 'Look here first: it says what a payload and a result must look like.',
  },
  'work.propose': { title: 'Propose an order', operations: ['propose_order'] },
  'work.list': { title: 'List orders', operations: ['list_orders'] },
  'work.get': { title: 'Read an order', operations: ['get_order'] },
  'work.why': {
    title: 'Why does it not move?',
    operations: ['explain_order'],
    advice: 'With wait: answers when the order is settled, or after that many seconds; clients that know tasks get one.',
  },
  'work.checkout': {
    title: 'Take an item',
    operations: ['checkout_order_item', 'checkout_item'],
    advice:
      'With order_id: the next item of that order. Keep item.id and item.lease_token; every later call on the item needs them. no_items_available means: nothing to do now.',
  },
  'work.heartbeat': {
    title: 'Keep the lease',
    operations: ['heartbeat_item'],
    advice: 'Call it every heartbeat_every_seconds while you work. lease_lost or lease_expired: stop working on the item.',
  },
  'work.submit': {
    title: 'Hand in a result',
    operations: ['submit_item'],
    advice: 'verification_failed: correct what errors names and submit again under the same lease, with a new idempotency_key.',
  },
  'work.submit_part': {
    title: 'Hand in a part',
    operations: ['submit_part'],
    advice: 'For results too large for one call; work.finalize assembles them.',
  },
  'work.list_parts': { title: 'List parts', operations: ['list_parts'] },
  'work.finalize': { title: 'Assemble the parts', operations: ['finalize_item'] },
  'work.release': { title: 'Give an item back', operations: ['release_item'] },
  'work.fail': { title: 'Say that it cannot be done', operations: ['fail_item'], effects: { destructive: true } },
  'work.logs': { title: 'Read the record', operations: ['get_item_logs', 'get_order_logs'], advice: 'Give item_id or order_id.' },
  'work.approve': { title: 'Approve and apply', operations: ['approve_order'], effects: { destructive: true, openWorld: true } },
  'work.reject': { title: 'Reject or send back', operations: ['reject_order'], effects: { destructive: true } },
}

/** Operations that are deliberately no tools, and why. A test keeps both lists complete. */
export const notTools: Readonly<Record<string, string>> = {
  plan_order: 'work.propose plans at once; planning later is for programs',
  cancel_order: 'a person’s or program’s decision, over HTTP and the command line',
  requeue_order: 'a person’s decision, over HTTP and the command line',
  requeue_item: 'a person’s decision, over HTTP and the command line',
  list_items: 'work.get carries the items; one item is the resource work://items/{item_id}',
  get_item: 'the resource work://items/{item_id}',
  get_order_timeline: 'the resource work://orders/{order_id}/timeline',
  list_events: 'for auditors and programs; agents read work.logs',
  list_provenance: 'for auditors',
  list_records: 'for programs that use what was applied',
  export_ledger: 'for auditors; far too large for an answer to a model',
  create_key: 'secrets do not belong into a model’s context',
  list_keys: 'administration is not an agent’s work',
  rotate_key: 'secrets do not belong into a model’s context',
  revoke_key: 'administration is not an agent’s work',
  get_status: 'for operators; agents ask work.why about one order',
  revoke_leases: 'administration is not an agent’s work',
  extend_leases: 'administration is not an agent’s work; an agent sends heartbeats',
  reclaim_leases: 'administration is not an agent’s work',
  pause: 'a person’s decision, over HTTP and the command line',
  resume: 'a person’s decision, over HTTP and the command line',
  list_pauses: 'for operators; an agent that is paused is told so',
  run_generators: 'administration is not an agent’s work',
  run_maintenance: 'administration is not an agent’s work',
  purge_idempotency_keys: 'administration is not an agent’s work',
  list_publishers: 'for operators',
  move_publisher_cursor: 'administration is not an agent’s work',
  list_parked_messages: 'for operators',
  retry_parked_messages: 'administration is not an agent’s work',
  discard_parked_message: 'administration is not an agent’s work',
}
