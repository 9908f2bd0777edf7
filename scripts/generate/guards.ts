/** The database side of the state tables: the guard triggers and the event priorities, from the contract. */
import { eventKinds, eventPriority, machines, type EventKind } from '@work-manager/contract'

export function renderGuards(): string {
  const lines = [
    '-- Generated from packages/contract/src/machines.ts and events.ts by `npm run generate`. Do not edit.',
    '-- Not even a psql session can make an illegal move: the tables that TypeScript decides by are enforced here once more.',
    '',
    'create or replace function wm.event_priority(kind text) returns smallint',
    '  language sql immutable parallel safe',
    '  as $$',
    '  select (case',
  ]
  for (const priority of [0, 1, 3] as const) {
    const kinds = (Object.keys(eventKinds) as EventKind[]).filter((kind) => eventPriority(kind) === priority)
    lines.push(`    when kind in (${kinds.map((kind) => `'${kind}'`).join(', ')}) then ${priority}`)
  }
  lines.push('    else 2 end)::smallint', '$$;')
  for (const [noun, machine] of Object.entries(machines)) {
    const moves = Object.entries(machine.states).flatMap(([from, spec]) => Object.keys(spec.to).map((to) => `'${from}>${to}'`))
    lines.push(
      '',
      `create or replace function wm.guard_${noun}_state() returns trigger`,
      '  language plpgsql',
      '  as $$',
      'begin',
      "  if tg_op = 'INSERT' then",
      `    raise exception 'a new ${noun} starts as ${machine.initial}, not %', new.state using errcode = 'check_violation', constraint = '${noun}_state_machine';`,
      '  end if;',
      `  if old.state || '>' || new.state <> all (array[`,
      `    ${moves.join(', ')}`,
      '  ]) then',
      `    raise exception 'Illegal state transition for ${noun}: cannot transition from ''%'' to ''%''', old.state, new.state`,
      `      using errcode = 'check_violation', constraint = '${noun}_state_machine';`,
      '  end if;',
      '  return new;',
      'end $$;',
      `create or replace trigger ${noun}s_state_insert before insert on wm.${noun}s`,
      `  for each row when (new.state <> '${machine.initial}') execute function wm.guard_${noun}_state();`,
      `create or replace trigger ${noun}s_state_update before update on wm.${noun}s`,
      `  for each row when (old.state is distinct from new.state) execute function wm.guard_${noun}_state();`,
    )
  }
  return `${lines.join('\n')}\n`
}
