/** docs/lifecycle.md: the state machines as pictures and as tables, from packages/contract/src/machines.ts. */
import { machines, partStatuses } from '@work-manager/contract'

interface MachineTable {
  readonly initial: string
  readonly states: Readonly<Record<string, { readonly doc: string; readonly to: Readonly<Record<string, string>> }>>
}

/** State → the background services that move work on, or tell somebody, when nobody does. The compiler asks for every state. */
const rescuers: {
  readonly [Noun in keyof typeof machines]: { readonly [State in keyof (typeof machines)[Noun]['states']]: readonly string[] }
} = {
  order: {
    queued: ['stale-order-alert'],
    checked_out: ['lease-reclaimer', 'stale-order-alert'],
    in_progress: ['lease-reclaimer', 'stale-order-alert'],
    submitted: ['auto-approver', 'stale-order-alert'],
    approved: ['applier', 'stale-order-alert'],
    applied: ['applier'],
    completed: [],
    rejected: [],
    failed: ['dead-letterer'],
    dead_lettered: [],
    cancelled: [],
  },
  item: {
    queued: [],
    leased: ['lease-reclaimer'],
    in_progress: ['lease-reclaimer'],
    submitted: [],
    accepted: ['applier'],
    completed: [],
    rejected: [],
    failed: ['retry-scheduler', 'dead-letterer'],
    dead_lettered: [],
    cancelled: [],
  },
}

const first: Record<string, string> = { order: 'propose', item: 'plan' }
const code = (text: string) => `\`${text}\``
const cell = (text: string) => text.replaceAll('|', String.raw`\|`)
const listed = (entries: readonly string[]) => (entries.length === 0 ? '–' : entries.join('<br>'))

function section(noun: keyof typeof machines, services: ReadonlySet<string>): string[] {
  const machine: MachineTable = machines[noun]
  const states = Object.entries(machine.states)
  const moves = states.flatMap(([from, { to }]) => Object.entries(to).map(([next, by]) => ({ from, next, by })))
  const lines = [
    `## ${noun === 'order' ? 'Orders' : 'Items'}`,
    '',
    '```mermaid',
    'stateDiagram-v2',
    `  [*] --> ${machine.initial}: ${first[noun]}`,
    // A colon or a semicolon would end the label.
    ...moves.map(({ from, next, by }) => `  ${from} --> ${next}: ${by.replaceAll(/[:;]/g, ',')}`),
    ...states.filter(([, { to }]) => Object.keys(to).length === 0).map(([state]) => `  ${state} --> [*]`),
    '```',
    '',
    '| State | What it means | Who puts work in | Who takes it out | Which service looks after it |',
    '|---|---|---|---|---|',
  ]
  for (const [state, { doc, to }] of states) {
    const cares = rescuers[noun][state as never] as readonly string[]
    const stranger = cares.find((name) => !services.has(name))
    if (stranger !== undefined)
      throw new Error(
        `scripts/generate/lifecycle.ts names the service '${stranger}' for ${noun} ${state}; the server has: ${[...services].join(', ')}`,
      )
    const puts = [
      ...(state === machine.initial ? [`new: ${first[noun]}`] : []),
      ...moves.filter((move) => move.next === state).map((move) => `from ${code(move.from)}: ${move.by}`),
    ]
    const takes = Object.entries(to).map(([next, by]) => `to ${code(next)}: ${by}`)
    lines.push(
      `| ${code(state)} | ${cell(doc)} | ${cell(listed(puts))} | ${cell(takes.length === 0 ? 'nobody: final' : listed(takes))} | ${listed(cares.map(code))} |`,
    )
  }
  return lines
}

/** `services`: names of the background services that exist. */
export function renderLifecycle(services: Iterable<string>): string {
  const known = new Set(services)
  const lines = [
    '# Lifecycle',
    '',
    'Generated from `packages/contract/src/machines.ts`; edit that, then run `npm run generate`.',
    '',
    'The same tables decide in TypeScript (for messages that teach) and in a database trigger (so that nothing else can move work).',
    'An order or item is in exactly one state; a move that is not drawn here is refused with',
    '[`illegal_state_transition`](errors.md#illegal_state_transition), whoever asks.',
    '',
    ...section('order', known),
    '',
    ...section('item', known),
    '',
    '## Parts',
    '',
    'A part has no machine: each revision is written once, judged, and never changes. A better one is a new revision of the same slot',
    '(`part_key` and `seq`); a rejected revision never hides a validated one.',
    '',
    '```mermaid',
    'stateDiagram-v2',
    ...partStatuses.flatMap((status) => [
      `  [*] --> ${status}: submit part, its checks ${status === 'validated' ? 'pass' : 'fail'}`,
      `  ${status} --> [*]`,
    ]),
    '```',
    '',
    '| Status | Who puts it there | Who takes it out | Which service looks after it |',
    '|---|---|---|---|',
    ...partStatuses.map(
      (status) => `| ${code(status)} | submit part, when its checks ${status === 'validated' ? 'pass' : 'fail'} | nobody: final | – |`,
    ),
  ]
  return `${lines.join('\n')}\n`
}
