/**
 * Which command does which operation. A new operation is one line here; without it a test fails. `byHand`: the command is written in
 * commands/, because it asks, loops or shows more than one operation; the others are derived.
 */
export interface CommandName {
  readonly words: string
  /** One more name, without the noun, for what is asked all day. */
  readonly short?: string
  readonly byHand?: true
  /** Members that are arguments besides those of the path. */
  readonly arguments?: readonly string[]
  readonly example?: string
}

const item = '01890a5d-ac96-774b-bcce-b302099a8057'

export const commandNames: Readonly<Record<string, CommandName>> = {
  propose_order: { words: 'orders propose', arguments: ['type'], example: `example.echo --payload '{"messages":["hello"]}' --priority 10` },
  plan_order: { words: 'orders plan' },
  checkout_item: { words: 'items checkout', byHand: true },
  checkout_order_item: { words: 'items checkout', byHand: true },
  heartbeat_item: { words: 'items heartbeat' },
  submit_item: { words: 'items submit', example: `${item} --lease-token wl.1.1.… --result @result.json` },
  submit_part: {
    words: 'items part',
    arguments: ['part_key'],
    example: `${item} chapter-1 --lease-token wl.1.1.… --payload @chapter-1.json`,
  },
  finalize_item: { words: 'items finalize' },
  release_item: { words: 'items release' },
  fail_item: { words: 'items fail', example: `${item} --class transient --error '{"code":"site_down","message":"It answers 503."}'` },
  approve_order: { words: 'orders approve', byHand: true },
  reject_order: { words: 'orders reject', byHand: true },
  cancel_order: { words: 'orders cancel', example: `${item} --reason "The customer changed their mind"` },
  requeue_order: { words: 'orders requeue', byHand: true },
  requeue_item: { words: 'items requeue', example: `${item} --reason "The site is up again"` },
  list_order_types: { words: 'types list', byHand: true },
  list_orders: { words: 'orders list', byHand: true },
  get_order: { words: 'orders show', byHand: true },
  explain_order: { words: 'orders why', short: 'why' },
  list_items: { words: 'items list', byHand: true },
  get_item: { words: 'items show' },
  list_parts: { words: 'items parts' },
  get_item_logs: { words: 'items logs' },
  get_order_logs: { words: 'orders logs' },
  get_order_timeline: { words: 'orders timeline' },
  list_events: { words: 'events' },
  list_provenance: { words: 'provenance' },
  list_records: { words: 'records' },
  export_ledger: { words: 'ledger export', byHand: true },
  create_key: { words: 'keys create', byHand: true },
  list_keys: { words: 'keys list', byHand: true },
  rotate_key: { words: 'keys rotate', byHand: true },
  revoke_key: { words: 'keys revoke', byHand: true },
  get_status: { words: 'ops check', byHand: true },
  revoke_leases: { words: 'lease release', byHand: true },
  extend_leases: { words: 'lease extend', byHand: true },
  reclaim_leases: { words: 'lease reclaim', byHand: true },
  pause: { words: 'pause', byHand: true },
  resume: { words: 'resume', byHand: true },
  list_pauses: { words: 'pauses', byHand: true },
  run_generators: { words: 'generate', byHand: true },
  run_maintenance: { words: 'maintain', byHand: true },
  purge_idempotency_keys: { words: 'ops purge-keys', byHand: true },
  list_publishers: { words: 'publishers list' },
  move_publisher_cursor: {
    words: 'publishers move',
    arguments: ['seq'],
    example: 'nats 4711 --reason "The stream was lost; publish again from here"',
  },
  list_parked_messages: { words: 'publishers parked' },
  retry_parked_messages: { words: 'publishers retry', arguments: ['publisher'], example: 'rabbitmq --reason "The queue is bound now"' },
  discard_parked_message: {
    words: 'publishers discard',
    arguments: ['publisher', 'seq'],
    example: 'sqs 4711 --reason "Too large for the queue; the consumer reads it over HTTP"',
  },
}

/** The predecessor's spellings, still understood. */
const oldSpellings: Readonly<Record<string, string>> = {
  'orders:list': 'orders list',
  'orders:requeue': 'orders requeue',
  'orders:review': 'orders review',
  'items:list': 'items list',
  'items:retry': 'items retry',
  'dead-letter:clone': 'orders clone',
  'lease:release': 'lease release',
  'lease:reclaim': 'lease reclaim',
  'lease:extend': 'lease extend',
  'ops:check': 'ops check',
  'ops:tail': 'ops tail',
  'ops:prune': 'ops prune',
  'ops:purge-keys': 'ops purge-keys',
  'dev:reset': 'dev reset',
  'dev:seed': 'dev seed',
  'make:order-type': 'make order-type',
  'make:allocator': 'make generator',
  'make:generator': 'make generator',
  'make:workspace': 'make workspace',
  generate: 'generate',
  maintain: 'maintain',
  mcp: 'mcp',
}
export const knownOldSpellings = Object.entries(oldSpellings)

/** The words of a command line, with an old spelling (`orders:list`, `work-manager:maintain`) in its new form. */
export function withNewSpelling(words: readonly string[]): string[] {
  return words.flatMap((word, n) => {
    // Only where a command can stand: nothing but options before it.
    if (words.slice(0, n).some((before) => !before.startsWith('-'))) return [word]
    const name = word.replace(/^work-manager:/, '')
    return (name !== word || name.includes(':')) && Object.hasOwn(oldSpellings, name) ? oldSpellings[name]!.split(' ') : [word]
  })
}
