/** docs/lifecycle.md: the state machines as pictures and as tables, from the machines of packages/contract/src. */
import { type Machine, machines, nouns, type WrittenOnce } from '@work-manager/contract'

const code = (text: string) => `\`${text}\``
const cell = (text: string) => text.replaceAll('|', String.raw`\|`)
const listed = (entries: readonly string[]) => (entries.length === 0 ? '–' : entries.join('<br>'))

function machineSection(machine: Machine, services: ReadonlySet<string>): string[] {
  const states = Object.entries(machine.states)
  const moves = states.flatMap(([from, { to }]) => Object.entries(to).map(([next, by]) => ({ from, next, by })))
  const lines = [
    `## ${machine.title}`,
    '',
    '```mermaid',
    'stateDiagram-v2',
    `  [*] --> ${machine.initial}: ${machine.enters}`,
    // A colon or a semicolon would end the label.
    ...moves.map(({ from, next, by }) => `  ${from} --> ${next}: ${by.replaceAll(/[:;]/g, ',')}`),
    ...states.filter(([, { to }]) => Object.keys(to).length === 0).map(([state]) => `  ${state} --> [*]`),
    '```',
    '',
    '| State | What it means | Who puts work in | Who takes it out | Which service looks after it |',
    '|---|---|---|---|---|',
  ]
  for (const [state, { doc, to, rescued_by: cares }] of states) {
    const stranger = cares.find((name) => !services.has(name))
    if (stranger !== undefined)
      throw new Error(
        `The machine of ${machine.noun} names the service '${stranger}' for ${state}; the server has: ${[...services].join(', ')}`,
      )
    const puts = [
      ...(state === machine.initial ? [`new: ${machine.enters}`] : []),
      ...moves.filter((move) => move.next === state).map((move) => `from ${code(move.from)}: ${move.by}`),
    ]
    const takes = Object.entries(to).map(([next, by]) => `to ${code(next)}: ${by}`)
    lines.push(
      `| ${code(state)} | ${cell(doc)} | ${cell(listed(puts))} | ${cell(takes.length === 0 ? 'nobody: final' : listed(takes))} | ${listed(cares.map(code))} |`,
    )
  }
  return lines
}

function writtenOnceSection({ title, doc, statuses }: WrittenOnce): string[] {
  return [
    `## ${title}`,
    '',
    'No machine: each one is written once, judged, and never changes.',
    doc,
    '',
    '```mermaid',
    'stateDiagram-v2',
    ...Object.entries(statuses).flatMap(([status, by]) => [`  [*] --> ${status}: ${by}`, `  ${status} --> [*]`]),
    '```',
    '',
    '| Status | Who puts it there | Who takes it out | Which service looks after it |',
    '|---|---|---|---|',
    ...Object.entries(statuses).map(([status, by]) => `| ${code(status)} | ${by} | nobody: final | – |`),
  ]
}

/** `services`: names of the background services that exist. */
export function renderLifecycle(services: Iterable<string>): string {
  const known = new Set(services)
  const lines = [
    '# Lifecycle',
    '',
    'Generated from the machines of `packages/contract/src/`; edit those, then run `npm run generate`.',
    '',
    'The same tables decide which moves compile in TypeScript and guard the database by a trigger, so',
    'that nothing else can move anything. Everything below is in exactly one state; a move that is not',
    'drawn here is refused with [`illegal_state_transition`](errors.md#illegal_state_transition),',
    'whoever asks.',
    ...Object.values<Machine>(machines).flatMap((machine) => ['', ...machineSection(machine, known)]),
    ...nouns.flatMap((noun) => ('writtenOnce' in noun ? ['', ...writtenOnceSection(noun.writtenOnce)] : [])),
  ]
  return `${lines.join('\n')}\n`
}
